"""Running error analysis: a reference runs once over arrays that carry the scale of their rounding error.

`array` holds the carrying array, `precision` what one operation adds, the other modules the rules of NumPy's
functions: `elementwise`, `reductions`, `folding`, `missing`, `products`, `polynomials`, `movement`, `selection`.
`namespace` is the NumPy that the reference imports meanwhile, `trace` runs it. The rules are first order (Higham,
Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 2.2, 3.1 and 3.3): an operation passes on its
operands' errors by its derivatives, and adds its own rounding.
"""
