"""The kernel tools over MCP, called by a real client in memory, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ResourceLink, TextContent

from sandbox.device import Fault, Hotspot
from sandbox.errors import UsageError, WorkerDiedError
from sandbox.verdict import Provenance, Verdict
from tests.tools.mcp.canned_toolbox import (
    KERNEL,
    LAUNCH,
    NEW_TASK,
    PASSES,
    PROFILED,
    CannedToolbox,
    Mode,
    both_eras,
    client,
    error_text,
    structured,
)
from tools.mcp import waiting
from tools.mcp.answers import ProfileAnswer
from tools.mcp.named_orders import CompareOrder, NamedOrder, carry_out
from tools.mcp.profile_shelf import ProfileShelf
from tools.reports import (
    CaseReport,
    ShapeTiming,
    TestReport,
    Timing,
)
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.task import Task
from tools.toolbox import AnyOrder, CheckOrder, CompileOrder, ProfileOrder, TestOrder


def named(orders: list[AnyOrder[Task]]) -> list[AnyOrder[str]]:
    """Return orders with their tasks' names, to compare them."""
    return [replace(order, task=order.task.name) for order in orders]  # type: ignore[misc]


GOLDEN = Path(__file__).parent / "golden"
TOOLS = [
    *("benchmark_kernel", "compare_kernels", "compile_kernel", "create_task", "device_info"),
    *("draft_task", "get_task", "list_tasks", "profile_kernel", "test_kernel", "update_task"),
]


@both_eras
async def test_the_tools_and_their_schemas_are_the_golden_ones(mode: Mode) -> None:
    """A drift fails; `WARPWRIGHT_UPDATE_GOLDEN=1 pytest tests/tools/mcp` writes the files anew."""
    async with client(CannedToolbox(), mode) as connected:
        listed = {tool.name: tool for tool in (await connected.list_tools()).tools}
    assert sorted(listed) == TOOLS
    for name, tool in listed.items():
        text = (
            json.dumps(
                tool.model_dump(mode="json", by_alias=True, exclude_none=True), indent=2, sort_keys=True
            )
            + "\n"
        )
        path = GOLDEN / f"{name}.json"
        if os.environ.get("WARPWRIGHT_UPDATE_GOLDEN"):
            path.write_text(text)
        assert path.read_text() == text, f"{path.name} drifted"


@both_eras
async def test_tasks_are_listed_and_read(mode: Mode) -> None:
    async with client(CannedToolbox(), mode) as connected:
        listed = structured(await connected.call_tool("list_tasks", {}))
        assert listed["device"] == "sim:h200"
        names = [task["name"] for task in listed["tasks"]]
        assert "softmax" in names
        details = structured(await connected.call_tool("get_task", {"task": "softmax"}))
    assert "def reference" in details["reference"]
    assert "//@ launch" in details["baseline"]
    assert "//@ launch" in details["kernel_file_rules"]
    assert {argument["role"] for argument in details["arguments"]} >= {"in", "out"}


@both_eras
async def test_an_unknown_task_is_an_error_that_says_what_to_do(mode: Mode) -> None:
    async with client(CannedToolbox(), mode) as connected:
        for name, arguments in (("get_task", {}), ("test_kernel", {"kernel": KERNEL})):
            text = error_text(await connected.call_tool(name, {"task": "sofmax", **arguments}))
            assert "softmax" in text
            assert "list_tasks" in text


@both_eras
async def test_a_compiled_kernel_shows_what_it_uses(mode: Mode) -> None:
    toolbox = CannedToolbox()
    async with client(toolbox, mode) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL, "tune": {"BLOCK": 64}}
        answer = structured(await connected.call_tool("compile_kernel", arguments))
    assert answer["verdict"] == "pass"
    assert answer["kernels"] == [
        {"name": "k", "registers": 24, "shared_bytes": 1024, "stack_bytes": 0, "spill_bytes": 12}
    ]
    assert answer["compiler_messages"] == [{"severity": "warning", "line": 3, "message": "unused"}]
    assert answer["next_step"].startswith("test_kernel")
    assert named(toolbox.orders) == [CompileOrder("softmax", KERNEL, {"BLOCK": 64})]


@both_eras
async def test_a_wrong_kernel_is_an_answer_with_the_first_wrong_elements(mode: Mode) -> None:
    toolbox = CannedToolbox()
    async with client(toolbox, mode) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL, "seed": 7}
        answer = structured(await connected.call_tool("test_kernel", arguments))
    assert (answer["verdict"], answer["runs_passed"], answer["runs_total"]) == ("wrong_result", 1, 6)
    assert answer["isolation"] == "bubblewrap"
    failed = answer["failed"]
    assert (failed["seed"], failed["wrong"], failed["never_written"]) == (7, 2, 1)
    assert failed["first"] == [{"output": "out", "index": [4], "got": "nan", "expected": "2", "bound": 1e-6}]
    assert named(toolbox.orders) == [TestOrder("softmax", KERNEL, seed=7)]


async def test_a_fault_tells_where_it_happened() -> None:
    fault = Fault(Verdict.MEMORY_FAULT, "past the end", line=9, block=(1, 0, 0), thread=(5, 0, 0), buffer="x")
    case = CaseReport({"n": 33}, 7, Verdict.MEMORY_FAULT, "past the end", fault=fault)
    tested = TestReport(Verdict.MEMORY_FAULT, "past the end", (case,), 6)
    async with client(CannedToolbox(tested=tested)) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL}
        failed = structured(await connected.call_tool("test_kernel", arguments))["failed"]
    assert (failed["line"], failed["block"], failed["thread"], failed["buffer"]) == (
        9,
        [1, 0, 0],
        [5, 0, 0],
        "x",
    )


async def test_a_pass_and_an_unsupported_kernel_lead_to_other_steps() -> None:
    for verdict, step in ((Verdict.PASS, "profile_kernel"), (Verdict.UNSUPPORTED, "another device")):
        async with client(CannedToolbox(tested=TestReport(verdict, "", (), 6))) as connected:
            answer = structured(
                await connected.call_tool("test_kernel", {"task": "softmax", "kernel": KERNEL})
            )
        assert step in answer["next_step"]
        assert "failed" not in answer


@both_eras
async def test_a_profile_is_bounded_and_every_time_has_its_provenance(mode: Mode) -> None:
    async with client(CannedToolbox(), mode) as connected:
        result = await connected.call_tool("profile_kernel", {"task": "softmax", "kernel": KERNEL})
    answer = structured(result)
    assert (answer["latency_us"], answer["provenance"], answer["speedup"]) == (3.0, "estimated", 2.0)
    launches = answer["shapes"][0]["launches"]
    assert len(launches) == 16
    assert [len(launch["metrics"]) for launch in launches] == [12] * 4 + [0] * 12
    assert launches[0]["metrics"][0]["provenance"] == "counted"
    assert answer["features"] == ["against_dram"]


@both_eras
async def test_an_answer_reads_as_text_and_links_to_the_whole_profile(mode: Mode, tmp_path: Path) -> None:
    async with client(CannedToolbox(), mode, tmp_path / "tasks") as connected:
        result = await connected.call_tool("profile_kernel", {"task": "softmax", "kernel": KERNEL})
    text, link = result.content
    assert isinstance(text, TextContent)
    assert isinstance(link, ResourceLink)
    assert text.text.startswith("**pass** (softmax, sim:h200): 3 us estimated.")
    assert (
        "`k` (line 1): 3 us estimated, bound by dram, 50% of its roofline, 10 of 100 blocks counted."
        in text.text
    )
    assert text.text.splitlines()[-1].startswith("Next: Change what the bottleneck names")
    assert link.uri == structured(result)["profile"]
    key = link.uri.removeprefix("warpwright://profiles/")
    whole = ProfileShelf(tmp_path / "profiles").read(key)
    assert whole is not None
    assert len(json.loads(whole)["shapes"][0]["launches"][99]["metrics"]) == 100


@both_eras
async def test_a_kernel_is_judged_on_the_device_that_is_asked_for(mode: Mode) -> None:
    async with client(CannedToolbox(), mode) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL, "device": "sim:a100"}
        assert structured(await connected.call_tool("test_kernel", arguments))["device"] == "sim:a100"
        told = structured(await connected.call_tool("device_info", {"device": "sim:a100"}))
        assert (told["device"], told["other_devices"]) == ("sim:a100", ["sim:h200"])
        unknown = await connected.call_tool("test_kernel", {**arguments, "device": "cuda:7"})
        assert "sim:h200, sim:a100" in error_text(unknown)


@both_eras
async def test_a_measured_profile_says_how_sure_it_is_what_gives_pause_and_where_to_look(mode: Mode) -> None:
    timing = Timing(
        30, 2.0, 1.9, 2.1, 2.8, 3.3, 2.5, 0.4, 1.1, 1980.0, 0, 3, 0, ("clocks held back",), noise=0.01
    )
    hot = Hotspot(4, "ld.global", "sectors per request", 32.0, 0.8, "y = x[i];")
    launch = replace(
        LAUNCH, provenance=Provenance.MEASURED, hotspots=(hot,) * 20, note="counters are forbidden"
    )
    shape = ShapeTiming({"n": 4096}, 3.0, Provenance.MEASURED, 6.0, (launch,), timing)
    toolbox = CannedToolbox(profiled=replace(PROFILED, provenance=Provenance.MEASURED, shapes=(shape,)))
    async with client(toolbox, mode) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL, "full": True}
        answer = structured(await connected.call_tool("profile_kernel", arguments))
    (shown,) = answer["shapes"]
    assert (shown["timing"]["low"], shown["timing"]["high"], shown["timing"]["noise"]) == (1.9, 2.1, 0.01)
    assert shown["timing"]["notes"] == ["clocks held back"]
    (first,) = shown["launches"]
    assert first["note"] == "counters are forbidden"
    shown_line = {"line": 4, "what": "sectors per request", "value": 32.0, "share": 0.8, "text": "y = x[i];"}
    assert first["hot_lines"] == [shown_line] * 5
    assert "breakdown" not in first
    assert len(first["metrics"]) == 12
    assert named(toolbox.orders) == [ProfileOrder("softmax", KERNEL, full=True)]


@both_eras
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel": "x" * (256 * 1024 + 1)},
        {"kernel": ""},
        {"kernel": KERNEL, "seed": -1},
        {"kernel": KERNEL, "tune": {"BLOCK": "many"}},
    ],
)
async def test_arguments_out_of_bounds_never_reach_the_toolbox(mode: Mode, arguments: dict[str, Any]) -> None:
    toolbox = CannedToolbox()
    async with client(toolbox, mode) as connected:
        text = error_text(await connected.call_tool("test_kernel", {"task": "softmax", **arguments}))
    assert next(reversed(arguments)) in text
    assert not toolbox.orders


@both_eras
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("reference.py, line 3: division by zero"), "reference.py, line 3"),
        (WorkerDiedError("secret path"), "try once more"),
    ],
)
async def test_errors_of_the_environment_are_said_in_words(mode: Mode, error: Exception, said: str) -> None:
    async with client(CannedToolbox(error=error), mode) as connected:
        text = error_text(await connected.call_tool("test_kernel", {"task": "softmax", "kernel": KERNEL}))
    assert said in text
    assert "secret" not in text


@both_eras
async def test_progress_is_told_while_a_call_lasts(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PROGRESS_S", 0.05)
    seen: list[float] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        assert message is not None
        assert message.startswith("testing for softmax")
        seen.append(progress)

    async with client(CannedToolbox(seconds=0.3), mode) as connected:
        await connected.call_tool(
            "test_kernel", {"task": "softmax", "kernel": KERNEL}, progress_callback=listen
        )
    assert len(seen) >= 3
    assert seen == sorted(set(seen))


@both_eras
async def test_what_takes_too_long_for_a_call_goes_on_as_a_job(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LONGEST_CALL_S", 0.1)
    toolbox, orders = CannedToolbox(seconds=60), list[NamedOrder]()
    async with client(toolbox, mode, orders=orders) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL, "seed": 7}
        answer = structured(await connected.call_tool("test_kernel", arguments))
        assert answer["job"] == "job-1"
        assert "verdict" not in answer
        assert "job_status(job='job-1')" in answer["next_step"]
        text = error_text(await connected.call_tool("compile_kernel", {"task": "softmax", "kernel": KERNEL}))
        assert "try once more" in text
    assert orders == [TestOrder("softmax", KERNEL, seed=7)]
    assert toolbox.cancelled == 2


async def test_a_cancelled_call_cancels_the_work() -> None:
    toolbox = CannedToolbox(seconds=60)
    async with client(toolbox) as connected:
        call = asyncio.ensure_future(
            connected.call_tool("compile_kernel", {"task": "softmax", "kernel": KERNEL})
        )
        async with asyncio.timeout(5):
            while not toolbox.orders:
                await asyncio.sleep(0.01)
            call.cancel()
            while not toolbox.cancelled:
                await asyncio.sleep(0.01)


@both_eras
async def test_a_benchmark_gives_a_latency_only_to_a_kernel_that_is_right(mode: Mode) -> None:
    toolbox = CannedToolbox()
    async with client(toolbox, mode) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL, "sweep": True}
        right = structured(await connected.call_tool("benchmark_kernel", arguments))
        wrong = structured(
            await connected.call_tool(
                "benchmark_kernel", {"task": "softmax", "kernel": f"// WRONG\n{KERNEL}"}
            )
        )
    assert (right["verdict"], right["latency_us"], right["provenance"]) == ("pass", 3.0, "estimated")
    assert right["shapes"][0]["baseline_us"] == 6.0
    assert (wrong["verdict"], wrong.get("latency_us"), wrong.get("speedup")) == ("wrong_result", None, None)
    assert wrong["shapes"] == []
    assert wrong["failed"]["seed"] == 7
    assert named(toolbox.orders) == [
        CheckOrder("softmax", KERNEL, sweep=True),
        CheckOrder("softmax", f"// WRONG\n{KERNEL}"),
    ]


@both_eras
async def test_compared_kernels_are_ranked_and_a_wrong_one_never_wins(mode: Mode) -> None:
    kernels = {"slow": "// US=9\n", "wrong": "// WRONG US=1\n", "fast": "// US=3\n"}
    async with client(CannedToolbox(), mode) as connected:
        arguments = {"task": "softmax", "kernels": kernels}
        answer = structured(await connected.call_tool("compare_kernels", arguments))
    assert answer["best"] == "fast"
    assert [
        (one["label"], one.get("latency_us"), one.get("slower_than_best")) for one in answer["standings"]
    ] == [
        ("fast", 3.0, 1.0),
        ("slow", 9.0, 3.0),
        ("wrong", None, None),
    ]
    assert answer["message"] == "2 of 3 kernels are correct; 'fast' is the fastest."


@both_eras
async def test_kernels_whose_estimates_lie_close_are_said_to_be_no_different(mode: Mode) -> None:
    kernels = {"a": "// US=3.06\n", "b": "// US=9\n", "c": "// US=3\n"}
    async with client(CannedToolbox(), mode) as connected:
        arguments = {"task": "softmax", "kernels": kernels}
        answer = structured(await connected.call_tool("compare_kernels", arguments))
    said = "'c' comes first, but between it and 'a' the model can tell no difference."
    assert answer["message"] == f"3 of 3 kernels are correct; {said}"


@both_eras
async def test_a_device_tells_its_limits_and_what_its_latencies_are(mode: Mode) -> None:
    async with client(CannedToolbox(), mode) as connected:
        answer = structured(await connected.call_tool("device_info", {}))
    assert (answer["device"], answer["latency_provenance"]) == ("sim:h200", "estimated")
    assert answer["hardware"]["architecture"] == "sm_90"
    # 132 multiprocessors, 128 lanes, two operations, as NVIDIA's data sheet has it: 67 TFLOPS.
    assert answer["hardware"]["fp32_gflops"] == pytest.approx(67_000, rel=0.01)
    async with client(CannedToolbox(device="cuda:0"), mode) as connected:
        answer = structured(await connected.call_tool("device_info", {}))
    assert answer["latency_provenance"] == "measured"
    assert "hardware" not in answer


@both_eras
async def test_a_created_task_is_kept_once_its_baseline_passed_and_never_overwritten(
    mode: Mode, tmp_path: Path
) -> None:
    own = tmp_path / "tasks"
    toolbox = CannedToolbox(tested=PASSES)
    async with client(toolbox, mode, own) as connected:
        created = structured(await connected.call_tool("create_task", {"task": NEW_TASK}))
        assert (created["created"], created["baseline_us"]) == (True, 3.0)
        again = structured(await connected.call_tool("create_task", {"task": NEW_TASK}))
        assert (again["created"], again["sha"]) == (False, created["sha"])
        bundled = {**NEW_TASK, "name": "softmax"}
        assert "never overwritten" in error_text(await connected.call_tool("create_task", {"task": bundled}))
        details = structured(await connected.call_tool("get_task", {"task": "twice"}))
        assert details["summary"] == NEW_TASK["summary"]
        assert details["tests"] == NEW_TASK["tests"]
        listed = structured(await connected.call_tool("list_tasks", {}))["tasks"]
        assert "twice" in [task["name"] for task in listed]
    assert [folder.name for folder in own.iterdir()] == ["twice"]
    assert named(toolbox.orders) == [
        CheckOrder("twice", NEW_TASK["baseline"]),
    ]


@both_eras
async def test_a_task_is_replaced_or_changed_while_nothing_has_used_it_and_never_afterwards(
    mode: Mode, tmp_path: Path
) -> None:
    other = {**NEW_TASK, "summary": "Something else."}
    changes = {"summary": "Better said.", "tests": [{"dims": {"n": 7}}], "target": {"speedup": 3}}
    async with client(CannedToolbox(), mode, tmp_path) as connected:
        structured(await connected.call_tool("create_task", {"task": NEW_TASK}))
        assert structured(await connected.call_tool("create_task", {"task": other}))["created"]
        arguments = {"task": "twice", "changes": changes}
        assert structured(await connected.call_tool("update_task", arguments))["created"]
        details = structured(await connected.call_tool("get_task", {"task": "twice"}))
        assert details["summary"] == "Better said."
        assert details["tests"] == [{"dims": [{"name": "n", "value": 7}], "data": []}]
        assert details["target"] == {"speedup": 3.0}
        assert details["baseline"] == NEW_TASK["baseline"]
    async with client(CannedToolbox(), mode, tmp_path, used=("twice",)) as connected:
        changed = {"task": "twice", "changes": {"summary": "No."}}
        for tool, given in (("create_task", {"task": other}), ("update_task", changed)):
            assert "never overwritten" in error_text(await connected.call_tool(tool, given))
        bundled = {"task": "softmax", "changes": {"summary": "No."}}
        assert "never overwritten" in error_text(await connected.call_tool("update_task", bundled))
    assert [folder.name for folder in tmp_path.iterdir()] == ["twice"]


@both_eras
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "../twice"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "Twice"}, "name"),
        ({"dims": ["n", "n"]}, "twice"),
        ({"flops": "__import__('os')"}, "flops"),
        ({"arguments": [{**NEW_TASK["arguments"][0], "data": "open('/etc/passwd')"}]}, "args"),
        ({"baseline": "__global__ void k() {}"}, "launch"),
        ({"benches": [{"dims": [{"name": "n", "value": 0}]}]}, "size of at least 1"),
        ({"summary": 7}, "summary"),
        ({"reference": "x" * 10_000_000}, "reference"),
        ({"summary": "\ud800"}, ""),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_task_that_cannot_be_used_leaves_nothing_behind(
    mode: Mode, changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    toolbox = CannedToolbox(tested=PASSES)
    async with client(toolbox, mode, tmp_path) as connected:
        text = error_text(await connected.call_tool("create_task", {"task": NEW_TASK | changed}))
    assert said in text
    assert len(text) < 4000
    assert str(tmp_path) not in text
    assert not list(tmp_path.iterdir())
    assert not toolbox.orders


async def test_a_plain_kernel_becomes_a_draft_that_create_task_takes(tmp_path: Path) -> None:
    text = (
        "```cuda\n__global__ void twice(const float* x, float* y, int n) { int i = blockIdx.x * 256 + threadIdx.x;"
        " if (i < n) y[i] = 2 * x[i]; }\nint main() { cudaFree(0); }\n```"
    )
    async with client(CannedToolbox(), own=tmp_path) as connected:
        arguments = {"kernel": text, "name": "twice", "summary": "Twice."}
        draft = structured(await connected.call_tool("draft_task", arguments))
        assert any("host code was left out: main" in note for note in draft["notes"])
        task = draft["task"] | {"reference": "def reference(x, n):\n    return {'y': 2 * x}\n"}
        created = structured(await connected.call_tool("create_task", {"task": task}))
        assert created["created"]
        assert created["composer"] == "composed"
        assert "no __global__" in error_text(
            await connected.call_tool("draft_task", arguments | {"kernel": "int x;"})
        )


async def test_a_task_whose_baseline_is_wrong_is_not_kept(tmp_path: Path) -> None:
    wrong = {**NEW_TASK, "baseline": f"// WRONG\n{NEW_TASK['baseline']}"}
    async with client(CannedToolbox(), own=tmp_path) as connected:
        text = error_text(await connected.call_tool("create_task", {"task": wrong}))
    assert "its baseline is not correct (wrong_result)" in text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["../softmax", "/etc", "~", ".", "softmax/../softmax", "softmax\0", "%2e%2e"]
)
async def test_a_name_is_never_a_path_where_paths_are_not_allowed(name: str, tmp_path: Path) -> None:
    async with client(CannedToolbox(), own=tmp_path) as connected:
        text = error_text(await connected.call_tool("get_task", {"task": name}))
    assert "no task is called" in text


async def test_a_mcp_call_answers_what_the_python_call_does(tmp_path: Path) -> None:
    calls = [
        ("test_kernel", {"kernel": KERNEL, "seed": 7}, TestOrder("softmax", KERNEL, seed=7)),
        ("profile_kernel", {"kernel": KERNEL}, ProfileOrder("softmax", KERNEL)),
        ("benchmark_kernel", {"kernel": KERNEL}, CheckOrder("softmax", KERNEL)),
        ("compare_kernels", {"kernels": {"a": KERNEL}}, CompareOrder("softmax", {"a": KERNEL})),
        ("compile_kernel", {"kernel": KERNEL}, CompileOrder("softmax", KERNEL)),
    ]
    toolbox = CannedToolbox()
    async with client(toolbox) as connected:
        for tool, arguments, order in calls:
            answer = structured(await connected.call_tool(tool, {"task": "softmax", **arguments}))
            expected = await carry_out(order, toolbox, TaskCatalogue())
            if isinstance(expected, ProfileAnswer):
                expected = expected.model_copy(update={"features": ["against_dram"]})
            assert answer == expected.model_dump(mode="json", exclude_none=True)
