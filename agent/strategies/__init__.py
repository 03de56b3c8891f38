"""How a search decides what the next round builds on: pure folds over its history.

A strategy sees a `RunView` and answers with slots, one a candidate. It keeps nothing, so a resumed search goes on
as if it had never stopped, and any strategy steers any writer of kernels.
"""
