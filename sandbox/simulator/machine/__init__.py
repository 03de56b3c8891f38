"""The state of a batch of blocks: registers, the kinds of memory, and what steps may do to them."""
