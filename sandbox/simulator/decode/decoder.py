"""From syntax to executable code: slots for operands, steps for instructions, basic blocks."""

from __future__ import annotations

from functools import lru_cache

import sandbox.simulator.instructions  # noqa: F401  # pyright: ignore[reportUnusedImport]  fills the catalogue
from sandbox.simulator.decode.code import ENDS, SHARED_GAP, Barrier, BasicBlock, Call, Code, Jump
from sandbox.simulator.decode.formulas import formula_step
from sandbox.simulator.decode.slots import SlotTable
from sandbox.simulator.decode.waiting import load_uses
from sandbox.simulator.instructions.catalogue import FORMULAS, STEPS, Formula, Modifiers, UnsupportedError
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import some
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.kinds import (
    BLOCK_BARRIERS,
    WHOLE_WARP,
    changes_registers_only,
    is_block_barrier,
    is_poll,
    is_warp_sync,
    orders_some,
    reads_by_proxy,
)
from sandbox.simulator.ptx.syntax import (
    Function,
    Immediate,
    Instruction,
    Module,
    Negated,
    Operand,
    Register,
    Symbol,
    Variable,
    Vector,
)
from sandbox.simulator.ptx.types import TYPES
from sandbox.verdict import Verdict


def decode(module: Module, name: str) -> Code:
    """Decode a kernel. Instructions that are not supported become steps that refuse when reached."""
    function = module.functions[name]
    read = frozenset(register for instruction in function.body for register in _needs(instruction))
    slots = SlotTable(function, read)
    starts = _leaders(function)
    at = {start: index for index, start in enumerate(starts)}
    bounds = [*starts, len(function.body)]
    blocks = [
        _block(function, slots, at, index, bounds[index], bounds[index + 1]) for index in range(len(starts))
    ]
    blocks.append(BasicBlock(len(starts), (), Jump("return"), ()))
    inside = [variable for other in reachable(module, name) for variable in other.variables]
    shared, shared_bytes = _layout((*module.variables.values(), *inside), "shared")
    local, local_bytes = _layout(function.variables, "local")
    return Code(
        function=function,
        blocks=tuple(blocks),
        initial=tuple(slots.values),
        specials=slots.specials,
        symbols=slots.symbols,
        temporaries=_temporaries(function, slots, starts),
        shared=shared,
        shared_bytes=shared_bytes,
        shared_sizes={v.name: v.size for v in (*module.variables.values(), *inside) if v.space == "shared"},
        local=local,
        local_bytes=local_bytes,
        granularity=min(_granularity(other) for other in reachable(module, name)),
        uses=load_uses(tuple(blocks)),
        takes=any(
            i.opcode == "atom" and not any(part.startswith("shared") for part in i.modifiers)
            for other in reachable(module, name)
            for i in other.body
        ),
        ordered=any(orders_some(i) for other in reachable(module, name) for i in other.body),
        proxies=any(reads_by_proxy(i) for other in reachable(module, name) for i in other.body),
    )


def _granularity(function: Function) -> int:
    """Bytes of the narrowest access that may reach shared memory, at most 4."""
    narrow = [4]
    for instruction in function.body:
        spaces = {part.split("::")[0] for part in instruction.modifiers}
        if instruction.opcode not in {"ld", "st", "atom", "red"}:
            continue
        if not spaces & {"global", "param", "local", "const"} and instruction.modifiers[-1] in TYPES:
            narrow.append(TYPES[instruction.modifiers[-1]].bytes)
    return min(narrow)


def reachable(module: Module, name: str) -> list[Function]:
    """A kernel and every function that it may call; all of them where it calls through a pointer."""
    found = {name: module.functions[name]}
    queue = [name]
    while queue:
        for instruction in found[queue.pop()].body:
            if instruction.opcode != "call":
                continue
            named = {o.name for o in instruction.operands if isinstance(o, Symbol)} & module.functions.keys()
            for other in named or {f.name for f in module.functions.values() if not f.is_entry}:
                if other not in found:
                    found[other] = module.functions[other]
                    queue.append(other)
    return list(found.values())


def _layout(variables: tuple[Variable, ...], space: str) -> tuple[dict[str, int], int]:
    """Place variables one after another; unsized (dynamic shared) ones all start at the end.

    Returns:
        Offsets, those in shared memory with the gaps between variables, and the total without gaps.
    """
    gap = SHARED_GAP if space == "shared" else 0
    gaps = 0
    offsets: dict[str, int] = {}
    position = 0
    for variable in sorted((v for v in variables if v.space == space), key=lambda v: v.size == 0):
        align = max(variable.align, 16 if not variable.size else 1)
        position = -(-position // align) * align
        offsets[variable.name] = position + gaps
        position += variable.size
        gaps += gap if variable.size else 0
    return offsets, position


def _leaders(function: Function) -> list[int]:
    starts = {0, *function.labels.values()}
    for position, instruction in enumerate(function.body):
        if instruction.opcode in ENDS:
            starts.add(position + 1)
        if is_block_barrier(instruction) or is_warp_sync(instruction):
            starts.add(position)
        if is_block_barrier(instruction):
            starts.add(position + 1)
    return sorted(start for start in starts if start < len(function.body))


def _block(
    function: Function, slots: SlotTable, at: dict[int, int], index: int, start: int, end: int
) -> BasicBlock:
    body = function.body[start:end]
    next_block = index + 1
    jump = Jump("fall", (next_block,))
    instructions = body
    if body and body[-1].opcode in ENDS:
        jump = _jump(function, slots, at, body[-1], next_block)
        body = body[:-1]
    barrier = _barrier(body[0], slots) if body and is_block_barrier(body[0]) else None
    warp_sync = None
    if body and is_warp_sync(body[0]):
        members = Immediate(0xFFFFFFFF) if body[0].opcode in WHOLE_WARP else body[0].operands[-1]
        warp_sync = (body[0], slots.source(members, TYPES["u32"]))
    silent = barrier is not None or (warp_sync is not None and body[0].opcode in BLOCK_BARRIERS)
    steps = tuple(step_for(instruction, slots) for instruction in (body[1:] if silent else body))
    polls = any(is_poll(instruction) for instruction in body)
    acts = not all(_is_silent(instruction) for instruction in instructions)
    return BasicBlock(index, steps, jump, instructions, barrier, warp_sync, polls, acts)


def _is_silent(instruction: Instruction) -> bool:
    """Whether an instruction changes nothing but registers; atomic operations count what they change."""
    if "%clock" in instruction.text or "%globaltimer" in instruction.text:
        return False
    return instruction.opcode in FORMULAS or changes_registers_only(instruction)


def _barrier(instruction: Instruction, slots: SlotTable) -> Barrier:
    """`bar.sync a{, b}`, `bar.red.op d, a{, b}, {!}c` or `barrier.cluster.wait` (9.7.13.1, 9.7.13.3)."""
    operands = list(instruction.operands)
    if instruction.guard is not None:
        guard, negated = slots.source(instruction.guard.register, TYPES["pred"]), instruction.guard.negated
    else:
        guard, negated = None, False
    if "cluster" in instruction.modifiers:
        return Barrier(instruction, "cluster", 0, None, together=False, guard=guard, guard_negated=negated)
    reduction = next((part for part in instruction.modifiers if part in {"popc", "and", "or"}), "")
    target = predicate = 0
    inverted = False
    if reduction:
        first, last = operands.pop(0), operands.pop()
        inverted = isinstance(last, Negated)
        assert isinstance(first, Register)
        target = slots.target(first)
        predicate = slots.source(last.register if isinstance(last, Negated) else last, TYPES["pred"])
    number = operands[0] if operands else Immediate(0)
    threads = slots.source(operands[1], TYPES["u32"]) if len(operands) > 1 else None
    together = instruction.opcode == "bar" and threads is None and number == Immediate(0)
    slot = slots.source(number, TYPES["u32"])
    return Barrier(
        instruction, "block", slot, threads, together, reduction, target, predicate, inverted, guard, negated
    )


def _jump(
    function: Function, slots: SlotTable, at: dict[int, int], instruction: Instruction, next_block: int
) -> Jump:
    guard = slots.source(instruction.guard.register, TYPES["pred"]) if instruction.guard else None
    negated = bool(instruction.guard and instruction.guard.negated)
    if instruction.opcode == "bra":
        target = instruction.operands[0]
        assert isinstance(target, Symbol)
        return Jump("branch", (_target(function, at, target.name), next_block), guard, negated, instruction)
    if instruction.opcode == "brx":
        index, table = instruction.operands
        assert isinstance(table, Symbol)
        targets = tuple(_target(function, at, label) for label in function.tables[table.name])
        return Jump("table", targets, slots.source(index, TYPES["u32"]), False, instruction)
    if instruction.opcode == "call":
        return Jump("call", (next_block,), guard, negated, instruction, _call(instruction, slots))
    kind = {"trap": "trap", "ret": "return"}.get(instruction.opcode, "exit")
    return Jump(kind, (next_block,), guard, negated, instruction)


def _call(instruction: Instruction, slots: SlotTable) -> Call:
    """`call (results), function, (arguments), prototype` with every list optional."""
    operands = list(instruction.operands)
    results = _names(operands.pop(0)) if isinstance(operands[0], Vector) else ()
    callee = operands.pop(0)
    arguments = _names(operands.pop(0)) if operands and isinstance(operands[0], Vector) else ()
    if isinstance(callee, Symbol):
        return Call(callee.name, None, arguments, results)
    return Call(None, slots.source(callee, TYPES["u64"]), arguments, results)


def _names(operand: Operand) -> tuple[str, ...]:
    assert isinstance(operand, Vector)
    return tuple(element.name for element in operand.elements if isinstance(element, Symbol))


def _target(function: Function, at: dict[int, int], label: str) -> int:
    position = function.labels[label]
    return at.get(position, len(at))


def step_for(instruction: Instruction, slots: SlotTable) -> Step:
    """The executable form of one instruction, its guard included."""
    try:
        step = _unguarded(instruction, slots)
    except UnsupportedError as error:
        step = _refusal(instruction, str(error))
    if instruction.guard is None:
        return step
    predicate = slots.source(instruction.guard.register, TYPES["pred"])
    return _guarded(step, predicate, instruction.guard.negated)


def _unguarded(instruction: Instruction, slots: SlotTable) -> Step:
    opcode, parts = instruction.opcode, instruction.modifiers
    modifiers = _modifiers(parts)
    if "cc" in parts and f"{opcode}.cc" in STEPS:
        return STEPS[f"{opcode}.cc"].build(instruction, modifiers, slots)
    if opcode in FORMULAS:
        return formula_step(instruction, _formula(opcode, modifiers), slots)
    if opcode in STEPS:
        return STEPS[opcode].build(instruction, modifiers, slots)
    raise UnsupportedError(instruction.mnemonic)


_modifiers = lru_cache(maxsize=1 << 10)(Modifiers)


@lru_cache(maxsize=1 << 10)
def _formula(opcode: str, modifiers: Modifiers) -> Formula:
    return FORMULAS[opcode].build(modifiers)


def _refusal(instruction: Instruction, reason: str) -> Step:
    what = f"the simulator has no {instruction.mnemonic}" + (
        "" if reason in instruction.mnemonic else f" ({reason})"
    )

    def refuse(machine: Machine) -> None:
        raise FaultError(machine.batch.fault(Verdict.UNSUPPORTED, what, instruction))

    return refuse


def _guarded(step: Step, predicate: int, negated: bool) -> Step:
    def run(machine: Machine) -> None:
        chosen = machine.registers[predicate]
        chosen = ~chosen if negated else chosen
        if chosen.size == 1:
            if chosen.flat[0]:
                step(machine)
            return
        mask, merge, force = machine.mask, machine.merge, machine.force
        active = chosen if mask is None else chosen & mask
        if some(active):
            machine.mask = machine.merge = active
            machine.force = True
            step(machine)
            machine.mask, machine.merge, machine.force = mask, merge, force

    return run


def _needs(instruction: Instruction) -> tuple[str, ...]:
    """Registers whose values matter; a guarded write keeps the old value in other lanes."""
    return instruction.read if instruction.guard is None else (*instruction.read, *instruction.written)


def _temporaries(function: Function, slots: SlotTable, starts: list[int]) -> frozenset[int]:
    """Registers whose every use follows an unguarded write in the same basic block."""
    home: dict[str, int] = {}
    shared: set[str] = set()
    block = -1
    boundaries = set(starts)
    for position, instruction in enumerate(function.body):
        block += position in boundaries
        for name in _needs(instruction):
            if home.get(name) != block:
                shared.add(name)
        for name in instruction.written:
            if home.setdefault(name, block) != block:
                shared.add(name)
    found = (slots.register_slot(name) for name in home if name not in shared)
    return frozenset(slot for slot in found if slot is not None)
