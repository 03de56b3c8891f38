"""Natural loops of a function's control flow (Aho, Lam, Sethi and Ullman, Compilers, 2nd ed., section 9.6)."""

from __future__ import annotations

from collections.abc import Sequence


def natural_loops(successors: Sequence[Sequence[int]]) -> tuple[frozenset[int], ...]:
    """The loops of a graph whose node 0 is entered, those that are entered at one node as one.

    A back edge goes to a node that every way to its start passes; its loop is what reaches that start without passing
    the node. What nothing reaches belongs to no loop, nor does a cycle that can be entered at several nodes.
    """
    joined: dict[int, frozenset[int]] = {}
    for head, body in back_edges(successors):
        joined[head] = joined.get(head, frozenset()) | body
    return tuple(joined.values())


def back_edges(successors: Sequence[Sequence[int]]) -> list[tuple[int, frozenset[int]]]:
    """The node that each back edge goes to, and its loop: of loops in loops that begin at one node, each."""
    before: list[list[int]] = [[] for _ in successors]
    order = _from_entry(successors)
    for node in order:
        for after in successors[node]:
            before[after].append(node)
    passed = _dominators(order, before)
    loops: list[tuple[int, frozenset[int]]] = []
    for node in order:
        for head in successors[node]:
            if passed[node] >> head & 1:
                body, queue = {head}, [node]
                while queue:
                    inside = queue.pop()
                    if inside not in body:
                        body.add(inside)
                        queue += before[inside]
                loops.append((head, frozenset(body)))
    return loops


def _from_entry(successors: Sequence[Sequence[int]]) -> list[int]:
    """Nodes that are reached, each after one of those that come before it where no cycle forbids it."""
    seen, ended = {0}, list[int]()
    queue = [(0, iter(successors[0]))] if successors else []
    while queue:
        node, rest = queue[-1]
        after = next((one for one in rest if one not in seen), None)
        if after is None:
            ended.append(node)
            queue.pop()
        else:
            seen.add(after)
            queue.append((after, iter(successors[after])))
    return ended[::-1]


def _dominators(order: Sequence[int], before: Sequence[Sequence[int]]) -> dict[int, int]:
    """Of every node, as bits, those that all ways to it pass, itself included."""
    passed = dict.fromkeys(order, -1) | ({order[0]: 1 << order[0]} if order else {})
    changed = True
    while changed:
        changed = False
        for node in order[1:]:
            common = -1
            for one in before[node]:
                common &= passed[one]
            common |= 1 << node
            changed |= common != passed[node]
            passed[node] = common
    return passed
