"""From counts of a sample of blocks to an estimated latency."""
