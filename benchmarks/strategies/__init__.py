"""How the strategies of the search compare, on kernels of the composer that were judged before."""
