"""Kill -9 in the middle of a search; then it goes on, and nothing that was answered is asked again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from agent.home import Home
from agent.results import RunState, SearchResult
from agent.store import Store
from agent.store.address import VARIABLE, database_of
from agent.store.database import Database
from agent.store.tables import replies
from sandbox.verdict import Verdict
from tests.agent.model_server import Answer, Question, serving
from tests.agent.search_fakes import fenced, kernel
from tests.postgres import cluster

SCRIPT = Path(__file__).with_name("killed_search.py")
ROOT = Path(__file__).parents[3]
FEATURES = ("loop_unrolling", "vectorized_loads", "grid_stride_loop")


def start(*words: str) -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1",
        "LANGGRAPH_STRICT_MSGPACK": "true",
        **{name: os.environ[name] for name in (VARIABLE,) if name in os.environ},
    }
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *words], env=environment, stdout=subprocess.PIPE, text=True
    )


class Endpoint:
    """Answers every question once; the coder question of that number waits until it is let go."""

    def __init__(self, hold: int) -> None:
        self._hold = hold
        self._lock = threading.Lock()
        self._coders = 0
        self.held = threading.Event()
        self.let_go = threading.Event()

    def answer(self, question: Question) -> Answer:
        if question.role == "planner":
            return json.dumps([{"parent": None, "features": [name]} for name in FEATURES])
        if question.role != "coder":
            return "The loads are what it waits for."
        with self._lock:
            self._coders += 1
            number = self._coders
        if number == self._hold:
            self.held.set()
            self.let_go.wait(60)
        return fenced(kernel(f"LATENCY {60 - number}"))


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    if request.param == "postgresql":
        monkeypatch.setenv(VARIABLE, cluster().database())
    return Home(tmp_path / "home")


def test_a_killed_search_resumes_without_asking_an_answered_question_again(home: Home, task_folder: Path):
    endpoint = Endpoint(hold=5)  # in the second round, when its plan and two of three kernels are there
    with serving(endpoint.answer) as server:
        process = start("start", str(home.root), str(task_folder), server.url)
        try:
            assert endpoint.held.wait(60)
            store = Store(home)
            (run,) = store.list_runs()
            assert run.state is RunState.RUNNING
            wait_for_replies(home, 5 + 1 + 2)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert store.get_run(run.run).state is RunState.INTERRUPTED
        before = {question.text for question in server.answered}
        asked = len(server.asked)
        endpoint.let_go.set()
        resumed = start("resume", str(home.root), run.run)
        out, _ = resumed.communicate(timeout=60)
        again = [question.text for question in server.asked[asked:]]
        keys = {question.text: question.key for question in server.asked[:asked]}
        repeated = [
            (question.key, keys[question.text]) for question in server.asked[asked:] if question.text in keys
        ]
    assert resumed.returncode == 0
    result = SearchResult.model_validate_json(out)
    assert (result.verdict, result.rounds, len(result.candidates)) == (Verdict.PASS, 2, 6)
    assert before.isdisjoint(again)
    assert len(again) == len(set(again))
    assert repeated, "the answer that was held is asked for again"
    assert all(now == before != "" for now, before in repeated), "under the same key"
    assert store.get_run(run.run).state is RunState.COMPLETED


def wait_for_replies(home: Home, wanted: int) -> None:
    """Wait until that many answers have been committed."""
    pause, database = threading.Event(), Database(database_of(home))
    while True:
        with database.read() as connection:
            if len(connection.execute(select(replies.c.run).where(replies.c.tokens_in > 0)).all()) >= wanted:
                return
        pause.wait(0.01)
