"""Rules that hold for the whole tree, and that the documents say what is true."""

from __future__ import annotations

import ast
import base64
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parents[1]
PACKAGES = ("agent", "tools", "sandbox", "prompts")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
EXECUTES = ("sandbox/reference/", "sandbox/torch_graphs/")
"""Where references, and files that define PyTorch modules, are executed: inside workers, which are for that."""
PARSES = "sandbox/syntax_trees.py"
SUSPECT = re.compile(
    rf"{'|'.join(UNPICKLING)}|eval|exec|os\.|ast\.|shell|torch\.load|allow_pickle|except\s*:"
)
"""What a text holds that may breach a rule; syntax trees take long."""


def called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return f"{module}.{name}"
        case _:
            return ""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def says(value: ast.expr | None, wanted: bool) -> bool:
    """Whether a keyword is not given, or has this very value."""
    return value is None or (isinstance(value, ast.Constant) and value.value is wanted)


def asked_of(call: ast.Call, name: str) -> str:
    """What a call asks for by keyword that none may; empty where it asks for nothing such."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if "shell" in given or not says(given.get("allow_pickle"), False):
        return "asks for a shell or for pickles"
    if name == "torch.load" and ("weights_only" not in given or not says(given["weights_only"], True)):
        return "unpickles"
    return ""


def breaches(path: Path, text: str) -> Iterator[str]:
    """What a module holds that none may hold."""
    if not SUSPECT.search(text):
        return
    for node in ast.walk(ast.parse(text, str(path))):
        match node:
            case ast.Import(names=names):
                if {alias.name.partition(".")[0] for alias in names} & UNPICKLING:
                    yield f"line {node.lineno} unpickles"
            case ast.ImportFrom(module=module):
                if (module or "").partition(".")[0] in UNPICKLING:
                    yield f"line {node.lineno} unpickles"
            case ast.Call():
                name = called(node)
                executes = name == "exec" and not relative(path).startswith(EXECUTES)
                if executes or name in {"eval", "os.system", "os.popen", "builtins.eval"}:
                    yield f"line {node.lineno} calls {name}"
                if name == "ast.parse" and relative(path) != PARSES:
                    yield f"line {node.lineno} calls {name}, which 3.11 cannot in two threads"
                if problem := asked_of(node, name):
                    yield f"line {node.lineno} {problem}"
            case ast.ExceptHandler(type=None):
                yield f"line {node.lineno} catches everything"
            case _:
                pass


def test_nothing_unpickles_evaluates_or_asks_a_shell() -> None:
    assert len(MODULES) > 200
    found = [f"{relative(path)}: {breach}" for path in MODULES for breach in breaches(path, path.read_text())]
    assert not found, "\n".join(found)


def test_the_rules_find_what_they_forbid() -> None:
    path = ROOT / "agent" / "imagined.py"
    bad = (
        "import pickle",
        "from shelve import open",
        "eval(x)",
        "exec(x)",
        "ast.parse(x)",
        "f(shell=True)",
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=allowed)",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "try: f()\nexcept: g()",
    )
    for text in bad:
        assert [*breaches(path, text)], text
    assert not [*breaches(path, "np.load(f, allow_pickle=False)\ntorch.load(f, weights_only=True)")]


def test_modules_are_named_for_what_they_do_and_stay_small() -> None:
    vague = {"utils", "util", "helpers", "common", "misc", "manager"}
    assert [relative(path) for path in MODULES if vague & set(path.with_suffix("").parts)] == []
    assert [relative(path) for path in MODULES if len(path.read_text().splitlines()) > 400] == []


def test_no_class_name_is_used_for_two_things() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for name in re.findall(r"^ *class (\w+)", path.read_text(), re.MULTILINE):
            places.setdefault(name, []).append(relative(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_imports_go_one_way() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stdout


def readme() -> str:
    return (ROOT / "README.md").read_text()


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", readme(), flags=re.M | re.S)


def test_the_readmes_client_configurations_are_those_in_the_examples() -> None:
    shown = [json.loads(block) for block in fenced("json")]
    kept = [json.loads(path.read_text()) for path in sorted((ROOT / "examples/clients").glob("*.json"))]
    assert shown == kept


def test_the_readmes_one_click_links_start_the_server() -> None:
    links = [urlsplit(link) for link in re.findall(r"\((https://[^)]*mcp[^)]*config=[^)]*)\)", readme())]
    assert [link.netloc for link in links] == ["vscode.dev", "cursor.com"]
    for link in links:
        asked = parse_qs(link.query)
        config = asked["config"][0]
        text = config if config.startswith("{") else base64.b64decode(config).decode()
        assert (asked["name"], json.loads(text)["args"][-2:]) == (["warpwright"], ["warpwright", "serve"])


def test_the_readmes_kernel_file_parses() -> None:
    from tools.kernel.file import parse

    (kernel,) = fenced("cuda")
    assert parse(kernel).tunables


def test_every_command_and_option_in_the_readme_exists() -> None:
    from typer.main import get_command

    from agent.cli.app import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    used = re.findall(r"(?:^    |`|&& )warpwright ([a-z-]+)([^\n`]*)", readme(), flags=re.M)
    assert {name for name, _ in used} >= {"optimize", "check", "tasks", "resume", "doctor", "serve"}
    for name, rest in used:
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, name


def test_the_readme_names_every_mcp_tool_and_no_other() -> None:
    golden = [
        *(ROOT / "tests/agent/mcp/golden").glob("*.json"),
        *(ROOT / "tests/tools/mcp/golden").glob("*.json"),
    ]
    table = readme().partition("The tools:")[2].partition("\n\n`examples")[0]
    assert set(re.findall(r"`([a-z]+_[a-z]+)`", table)) == {path.stem for path in golden}


def test_no_document_holds_a_placeholder() -> None:
    for path in DOCUMENTS:
        assert not re.search(r"<!-- (?!mcp-name: )|TODO|FIXME|TBD|lorem", path.read_text()), path


def test_relative_links_in_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        prose = re.sub(r"^(`{3,}).*?^\1", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", prose):
            assert (path.parent / target).exists(), f"{path}: {target}"


def drawn_folders() -> set[str]:
    """The folders on CONTRIBUTING's map: four spaces a top one, two more for what lies in it."""
    drawn = (
        (ROOT / "CONTRIBUTING.md").read_text().partition("The tree is the map")[2].partition("\nRead in")[0]
    )
    folders: set[str] = set()
    above = ""
    for indent, name in re.findall(r"^ {4}( *)([a-z_]+)/", drawn, flags=re.M):
        above = above if indent else name
        folders.add(f"{above}/{name}" if indent else name)
    return folders


def test_every_test_that_a_document_names_exists() -> None:
    named = {
        (match[1], match[2])
        for path in DOCUMENTS
        for match in re.finditer(r"`(tests/[\w/]+\.py)::(test_\w+)`", path.read_text())
    }
    assert len(named) > 25
    missing = [
        f"{file}::{test}"
        for file, test in sorted(named)
        if not (ROOT / file).exists()
        or not re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.M)
    ]
    assert not missing, "\n".join(missing)


def test_the_map_in_contributing_is_the_tree() -> None:
    there = {
        relative(path.parent)
        for package in PACKAGES
        for path in (*(ROOT / package).glob("*/__init__.py"), ROOT / package / "__init__.py")
    }
    others = {"examples", "tests", "docs", "benchmarks", "bundle", "skills", "warpwright"}
    assert {name for name in drawn_folders() if name.split("/")[0] not in others} == there
    assert all((ROOT / name).is_dir() for name in drawn_folders())


def test_the_journeys_in_the_architecture_pass_rooms_that_exist_and_a_check_few_of_them() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    named = re.findall(r"`((?:agent|tools|sandbox)/[\w/]+(?:\.py)?)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
    check = text.partition("## A check")[2].partition("\n## ")[0]
    visited = re.findall(r"^\d+\. `([\w/]+\.py)`", check, flags=re.M)
    assert visited[0] == "warpwright/_entry.py"
    assert len(visited) == len(set(visited)) <= 20


def test_decision_records_are_numbered_without_gaps_and_say_why() -> None:
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in path.read_text(), path.name


def test_the_license_is_the_one_that_the_package_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()


def test_the_ci_script_is_executable_bash() -> None:
    script = ROOT / ".ci/run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", script], check=False, timeout=10).returncode == 0
