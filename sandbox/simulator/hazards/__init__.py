"""Hazards: what a kernel must not rely on although lock step would let it pass."""
