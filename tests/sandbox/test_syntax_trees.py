from __future__ import annotations

import ast
import gc
import sys
import threading
from collections.abc import Iterator

import pytest

from sandbox.syntax_trees import syntax_tree

TEXT = "f(1, " + " + ".join(f"x{i}" for i in range(300)) + ")"


@pytest.fixture
def threads_that_change_often() -> Iterator[None]:
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


class Finalised:
    """Garbage that takes a while to collect, in which threads change."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.mark.usefixtures("threads_that_change_often")
def test_threads_that_parse_at_once_all_get_their_trees() -> None:
    failures: list[Exception] = []

    def parse_often() -> None:
        for _ in range(100):
            Finalised()
            try:
                syntax_tree(TEXT, mode="eval")
            except SystemError as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=parse_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_tree_is_what_python_makes_of_the_text() -> None:
    assert ast.dump(syntax_tree(TEXT)) == ast.dump(ast.parse(TEXT))
    assert ast.dump(syntax_tree("n + 1", mode="eval")) == ast.dump(ast.parse("n + 1", mode="eval"))
    with pytest.raises(SyntaxError) as caught:
        syntax_tree("n +", "reference.py")
    assert caught.value.filename == "reference.py"
