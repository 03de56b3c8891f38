"""Kernels for what no family of its own covers: the reference is followed into points, and they become nests.

`following` runs a reference's syntax on symbolic arrays, `stages` says what each of its arrays is at one point,
`fusing` joins those that one kernel can compute, `writing` turns them into a kernel file.
"""
