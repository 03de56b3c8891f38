"""Packages of judged kernels: launcher, code and what was verified of them, in the form that others build on.

`plans` and `variants` say what a kernel file launches at any sizes; `packages` joins kernels of one task; each form
is a module with templates beside it.
"""
