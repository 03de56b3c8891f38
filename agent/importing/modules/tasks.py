"""A PyTorch function or module of a user as a task: all of it, or the part of it that one kernel can replace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.home import Home
from agent.importing.graphs.drafts import GraphDraft, draft
from agent.importing.graphs.importer import Imported, Importer, NotImported
from agent.importing.keeping import kept_task
from agent.importing.modules.captured_inputs import CapturedInputs
from agent.importing.modules.capturing import CapturedModule, Capturing
from agent.importing.modules.example_inputs import FUNCTION, examples_text
from agent.importing.modules.module_origin import FILE, ModuleOrigin, machine_rates
from agent.importing.modules.node_times import node_times
from agent.importing.modules.parts import GraphPart, parts, whole
from sandbox.errors import UsageError
from sandbox.torch_graphs.graph import ExportCall, ExportFault, TorchGraph
from sandbox.torch_graphs.service import TorchGraphs
from tools.tasks.drafting import name_like
from tools.tasks.task import Task

_TRIED = 4
"""Parts that are tried, those that take longest first."""
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class ModuleAsTask:
    """A task that was made of a module.

    Attributes:
        notes: What was left out or stands in, and what share of the module the task is.
    """

    task: Task
    origin: ModuleOrigin
    notes: tuple[str, ...]


def module_call(path: Path, target: str, examples: str | CapturedInputs | None) -> ExportCall:
    """Return what exports a function, a module, or a class of modules of a file.

    Args:
        path: The file.
        target: The name.
        examples: A function of the file that returns example inputs, those inputs in short, or tensors that were
            captured; None for `get_inputs`.

    Raises:
        UsageError: The file cannot be read, or the examples say nothing.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}:{data.count(10, 0, error.start) + 1}: expected UTF-8 text") from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path}: expected at most {_MOST_BYTES >> 20} MiB of Python")
    if isinstance(examples, CapturedInputs):
        return ExportCall(text.rstrip() + "\n" + examples.examples, str(path), target, FUNCTION)
    if examples is None or examples.isidentifier():
        return ExportCall(text, str(path), target, examples or "get_inputs")
    return ExportCall(text.rstrip() + "\n" + examples_text(examples), str(path), target, FUNCTION)


async def task_of_module(
    call: ExportCall,
    graphs: TorchGraphs,
    importer: Importer,
    home: Home,
    device: str,
    captured: CapturedInputs | None = None,
) -> ModuleAsTask:
    """Make a task and keep it, with what it keeps of the module.

    All of the module is taken where the composer can write it; else the part that takes longest of those it can.

    Args:
        call: What exports the module.
        graphs: Exports it.
        importer: Translates what was exported, and holds it against the module.
        home: Where the task is kept.
        device: The GPU whose rates say which part takes how long.
        captured: Tensors that become test data of the task; the call's examples are of their sizes.

    Raises:
        UsageError: No task can be made of it; the text names the file, the line where known, and why.
        WorkerError: The environment failed.
    """
    name = name_like(call.target)
    graph = await graphs.export(call)
    if isinstance(graph, ExportFault):
        hint = "; say with --example-inputs what it is called with" if "get_inputs" in graph.message else ""
        where = "" if captured is None else f" (called with what {captured.file} holds)"
        raise UsageError(f"{_at(call, graph.line)}: {graph.message}{hint}{where}")
    sizes = {symbol: one.size for symbol, one in graph.symbols.items()}
    known, rates = machine_rates(device, tuple(sorted({one.tensor.dtype for one in graph.inputs})))
    times = node_times(graph, sizes, rates)
    everything = whole(graph, times)
    made = await importer.make(call, name)
    taken = everything
    if isinstance(made, NotImported):
        why = made
        taken, made = await _part(call, graph, importer, name, parts(graph, times))
        if taken is None or isinstance(made, NotImported):
            raise UsageError(f"{_at(call, why.line)}: {why.reason}")
    drafted = draft(taken.graph, "")
    origin = _origin(call, drafted, (taken, everything), graph, known)
    whole_task, notes = made.task, (*made.notes, *_said(origin, made, graph, taken))
    if captured is not None:
        part = graph if taken is everything else taken.graph
        module = CapturedModule(call, captured, graph, part, drafted)
        held = await Capturing(graphs, importer.holding).added(whole_task, module)
        whole_task, notes = held.task, (*notes, *held.notes)
    task = kept_task(whole_task, home, {FILE: origin.model_dump_json(indent=2) + "\n"})
    return ModuleAsTask(task, origin, notes)


async def _part(
    call: ExportCall, graph: TorchGraph, importer: Importer, name: str, found: Sequence[GraphPart]
) -> tuple[GraphPart | None, Imported | NotImported]:
    """The first part that a task can be made of."""
    problem = NotImported("it is one operator, and no part of it is left")
    for part in found[:_TRIED] if len(found) > 1 else ():
        made = await importer.make_part(call, graph, part.graph, f"{name[:40]}_part")
        if isinstance(made, Imported):
            return part, made
        problem = made
    return None, problem


def _origin(
    call: ExportCall,
    drafted: GraphDraft,
    taken_of: tuple[GraphPart, GraphPart],
    graph: TorchGraph,
    device: str,
) -> ModuleOrigin:
    taken, everything = taken_of
    example = {symbol: one.size for symbol, one in graph.symbols.items() if symbol not in drafted.symbols}
    return ModuleOrigin(
        text=call.text,
        file=call.file,
        target=call.target,
        inputs=call.inputs,
        settings=call.settings,
        fixed=call.fixed,
        arguments=dict(drafted.inputs),
        outputs=drafted.outputs,
        nodes=() if taken is everything else taken.graph.outputs,
        symbols=dict(drafted.symbols),
        pinned={**example, **drafted.pinned},
        replaced_us=taken.time_us,
        module_us=everything.time_us,
        device=device,
    )


def _said(origin: ModuleOrigin, made: Imported, graph: TorchGraph, taken: GraphPart) -> list[str]:
    count = len([node for node in graph.nodes if node.name in taken.nodes])
    names = list(dict.fromkeys(node.plain_operator for node in graph.nodes if node.name in taken.nodes))
    what = f"{count} of {len(graph.nodes)}" if origin.nodes else "all"
    shown = ", ".join(names[:8]) + (" and more" if len(names) > 8 else "")
    whose = f"that part of {origin.target}" if origin.nodes else origin.target
    held = f"its reference agrees with {whose} in float64 at {made.compared} inputs"
    return [
        f"the task is {what} of the operators of {origin.target}: {shown}; {held}",
        f"they take {origin.replaced_us:.3g} of its {origin.module_us:.3g} us on {origin.device}, each a kernel of"
        f" its own (estimated): {origin.share:.0%}{_limit(origin)}",
    ]


def _limit(origin: ModuleOrigin) -> str:
    if origin.share >= 1.0:
        return ""
    return f"; no kernel makes {origin.target} more than {origin.limit:.2f} times as fast (Amdahl)"


def _at(call: ExportCall, line: int | None) -> str:
    return f"{call.file}:{line}" if line else call.file
