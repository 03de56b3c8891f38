"""Sums of products by tiles of both factors in shared memory.

`products` finds them, `geometry` says how large tiles are, `packing` when elements move sixteen bytes at a time,
`filling` brings them into shared memory, `multiplying` and `tensor` sum products, `kernels` puts these together.
"""
