"""A program as the coder: what it is told, what its answers become, what it can reach, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import time
from pathlib import Path

import pytest

from agent.budget import SearchBudget
from agent.home import Home
from agent.model_settings import ModelSettings
from agent.models import command
from agent.results import SearchResult
from agent.search.session import SearchLostError
from agent.search.starting import start_search
from agent.settings_file import read_settings
from agent.store import Store
from sandbox.errors import UsageError
from sandbox.isolation.own_folder import OwnFolder, own_folder
from sandbox.verdict import Verdict
from tests.agent.model_server import Answer, Question, serving
from tests.agent.search_fakes import FakeToolbox, fenced, kernel

GOOD, WRONG = fenced(kernel("LATENCY 10")), fenced(kernel("WRONG"))
confined = pytest.mark.skipif(own_folder().program is None, reason=f"no bubblewrap: {own_folder().reason}")


@pytest.fixture(autouse=True)
def no_proxy_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("OPENAI_API_KEY", "WARPWRIGHT_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a test's programs lie."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(autouse=True)
def kept_in_view(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests' folders lie in /tmp, which is hidden from the programs that they hold; they are made visible again."""
    plain = OwnFolder.command

    def visible(
        self: OwnFolder, argv: list[str], folder: Path, hidden: list[Path], writable: list[Path]
    ) -> list[str]:
        words = plain(self, argv, folder, hidden, writable)
        if self.program is None:
            return words
        at = words.index("--tmpfs") + 2
        shown = str(tmp_path_factory.getbasetemp())
        return [*words[:at], "--ro-bind", shown, shown, *words[at:]]  # before what is hidden

    monkeypatch.setattr(OwnFolder, "command", visible)


def program(folder: Path, text: str) -> str:
    """Write a program in Python, and return the command that starts it."""
    path = folder / "coder.py"
    # Its own file, not an environment's link to it: that may lie where a program sees nothing.
    path.write_text(f"#!{Path(sys.executable).resolve()}\nimport json, os, sys, time, subprocess\n{text}")
    path.chmod(0o755)
    return shlex.quote(str(path))


async def search(home: Home, request_of, written: str, **more: object) -> SearchResult:
    settings = {name: more.pop(name) for name in ("coder_writes", "timeout_s", "coder") if name in more}
    models = ModelSettings.model_validate({"coder_command": written, **settings})
    request = request_of(models=models, **{"depth": 1, **more})
    return await start_search(request, home=home, toolbox=FakeToolbox())


async def test_a_program_alone_searches_without_any_model_or_key(home: Home, request_of, programs: Path):
    seen = programs / "seen"
    seen.touch()
    coder = program(programs, f"open({str(seen)!r}, 'a').write(sys.stdin.read())\nprint({GOOD!r})")
    result = await search(home, request_of, coder, coder_writes=(str(seen),))
    assert (result.verdict, result.model) == (Verdict.PASS, "coder.py (command)")
    assert result.candidates[0].features, "the strategy plans where no model does"
    told = seen.read_text()
    assert told.startswith("# Role")
    assert "# Task: twice" in told
    assert told.rstrip().endswith("in exactly one fenced ```cuda block.")


async def test_what_it_hands_in_comes_back_to_it(home: Home, request_of, programs: Path):
    text = f"told = sys.stdin.read()\nprint({GOOD!r} if 'expected 2.0' in told and '// WRONG' in told else {WRONG!r})"
    result = await search(home, request_of, program(programs, text))
    assert [one.verdict for one in result.candidates] == [Verdict.PASS]
    replies = Store(home).replies(result.run).exchanges(("coder",))
    assert [one.reply.model for one in replies] == ["coder.py (command)"] * 2


async def test_it_writes_beside_chat_models_and_the_planner_stays_one(home: Home, request_of, programs: Path):
    def answer(question: Question) -> Answer:
        return (
            fenced(kernel(f"LATENCY {20 + question.text.count('pass')}"))
            if question.role == "coder"
            else "Hm."
        )

    with serving(answer) as server:
        coder = program(programs, f"print({GOOD!r})")
        result = await search(
            home,
            request_of,
            coder,
            coder=("m",),
            model="m",
            base_url=server.url,
            candidates=6,
            depth=2,
            patience=9,
        )
        assert {one.role for one in server.asked} >= {"planner", "critic"}
    assert result.model == "m, coder.py (command)"
    assert {*Store(home).replies(result.run).writers(3)} == {"m", "coder.py (command)"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sys.exit('no credit left')", "ended with status 1, saying: no credit left"),
        ("print('x' * 5000000)", "printed more than 4 MiB"),
        ("time.sleep(60)", "took longer than 2 s; --model-timeout allows more"),
    ],
)
async def test_a_program_that_gives_no_answer_is_one_message_with_a_way_to_go_on(
    home: Home, request_of, programs: Path, text: str, said: str
):
    with pytest.raises(SearchLostError, match="warpwright resume") as raised:
        await search(home, request_of, program(programs, text), timeout_s=2)
    assert said in str(raised.value)
    assert "Traceback" not in str(raised.value)


def running(mark: str) -> list[str]:
    """Return the processes of this machine whose arguments hold a mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words:
            found.append(path.parent.name)
    return found


@confined
async def test_a_cancelled_search_leaves_no_process_of_it_behind(home: Home, request_of, programs: Path):
    mark = f"{time.time_ns() % 10**9 + 10**6}"
    text = f"subprocess.Popen(['sleep', {mark!r}], start_new_session=True)\ntime.sleep({mark})"
    working = asyncio.create_task(search(home, request_of, program(programs, text)))
    while not running(mark):
        await asyncio.sleep(0.02)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    deadline = time.monotonic() + 10
    while running(mark) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert running(mark) == []


@confined
async def test_it_is_kept_to_its_folder_and_sees_neither_the_home_nor_other_processes(
    home: Home, request_of, programs: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WARPWRIGHT_TOOLS_TOKEN", "secret")
    monkeypatch.setenv("CODER_KEY", "its own")
    told = programs / "told"
    told.touch()
    text = f"""
def can(act):
    try:
        act()
        return True
    except OSError:
        return False
def write(path):
    open(path, 'w').close()
found = dict(
    here=can(lambda: write('notes')), tmp=can(lambda: write('/tmp/written-by-a-coder')), program=can(lambda: write(__file__ + '.x')),
    home=can(lambda: open({str(home.database)!r}).close()), processes=len([p for p in os.listdir('/proc') if p.isdigit()]),
    ours=[name for name in os.environ if name.startswith('WARPWRIGHT')], own=os.environ.get('CODER_KEY'),
)
json.dump(found, open({str(told)!r}, 'w'))
print({GOOD!r})
"""
    await search(home, request_of, program(programs, text), coder_writes=(str(told),))
    found = json.loads(told.read_text())
    assert found.pop("processes") <= 3
    assert found == {"here": True, "tmp": True, "program": False, "home": False, "ours": [], "own": "its own"}
    assert not Path("/tmp/written-by-a-coder").exists()


async def test_where_it_cannot_be_kept_to_its_folder_that_is_said(
    home: Home, request_of, programs: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "own_folder", lambda: OwnFolder(None, "no namespaces"))
    heard: list[str] = []
    models = ModelSettings(coder_command=program(programs, f"print({GOOD!r})"))
    request = request_of(models=models, depth=1)
    await start_search(
        request,
        home=home,
        toolbox=FakeToolbox(),
        on_event=lambda event: heard.append(event.message) if event.kind == "noticed" else None,
    )
    assert ["bubblewrap cannot start here: no namespaces" in one for one in heard] == [True]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"coder_command": "no-such-program -p"}, "there is no program 'no-such-program'"),
        ({"coder_command": "sh 'x"}, "--coder-command cannot be read: No closing quotation"),
        ({"coder_command": " "}, "there is no program ''"),
        ({"coder_command": "sh", "coder_writes": ["/no/such"]}, "--coder-writes: /no/such is not there"),
    ],
)
async def test_a_command_that_cannot_be_is_refused_before_a_run_exists(
    home: Home, request_of, settings: dict[str, object], said: str
):
    with pytest.raises(UsageError) as raised:
        await start_search(
            request_of(models=ModelSettings.model_validate(settings)), home=home, toolbox=FakeToolbox()
        )
    assert said in str(raised.value)
    assert Store(home).list_runs() == []


async def test_budgets_that_cannot_be_held_and_other_peoples_searches_are_refused(home: Home, request_of):
    models = ModelSettings(coder_command="sh")
    request = request_of(models=models, budget=SearchBudget(max_usd=1, max_tokens=1))
    with pytest.raises(UsageError, match="--max-usd and --max-tokens cannot be held with --coder-command"):
        await start_search(request, home=home, toolbox=FakeToolbox())
    with pytest.raises(UsageError, match="for this machine's own person"):
        await start_search(request_of(models=models, tenant="guest"), home=home, toolbox=FakeToolbox())


def test_only_the_homes_own_settings_name_a_command(home: Home, tmp_path: Path):
    home.root.mkdir(parents=True)
    (home.root / "warpwright.toml").write_text('[models]\ncoder_command = "sh"\n')
    kept = read_settings(home, tmp_path)
    assert kept.model_settings().coder_command == "sh"
    assert kept.without_programs().model_settings().coder_command is None
    (tmp_path / "warpwright.toml").write_text('[models]\ncoder_command = "sh"\n')
    with pytest.raises(UsageError, match="run programs of their choice on your machine"):
        read_settings(home, tmp_path)
