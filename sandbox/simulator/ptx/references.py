"""Which module variables the code refers to: headers define a thousand that no kernel has to do with."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.simulator.ptx.syntax import AddressOperand, Module, Operand, Symbol, Vector


def used_variables(module: Module) -> frozenset[str]:
    """Names of the variables whose value or address a function takes, or an initialiser of such a one."""
    named = {
        name
        for function in module.functions.values()
        for instruction in function.body
        for operand in instruction.operands
        for name in _symbols(operand)
    }
    # What a variable inside a function starts with may be an address too.
    inside = (variable for function in module.functions.values() for variable in function.variables)
    named |= {name for variable in inside for _, name in variable.references}
    used: set[str] = set()
    queue = [name for name in named if name in module.variables]
    while queue:
        name = queue.pop()
        if name not in used:
            used.add(name)
            queue += [other for _, other in module.variables[name].references if other in module.variables]
    return frozenset(used)


def _symbols(operand: Operand | None) -> Iterator[str]:
    if isinstance(operand, Symbol):
        yield operand.name
    elif isinstance(operand, AddressOperand):
        yield from _symbols(operand.base)
    elif isinstance(operand, Vector):
        for element in operand.elements:
            yield from _symbols(element)
