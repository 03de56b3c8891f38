"""What fuzzing found is read or refused ever since."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzzing.corpus_files import FOLDER, keep, stored, unpack
from benchmarks.fuzzing.targets import TARGETS, Target


@pytest.mark.parametrize("name", TARGETS)
def test_every_text_of_the_corpus_is_read_or_refused(name: str) -> None:
    target = TARGETS[name]
    texts = [*(text.encode() for text in target.seeds()), *stored(target)]
    assert texts
    for data in texts:
        target(data)


def test_some_seed_of_each_parser_is_read() -> None:
    for target in TARGETS.values():
        assert any(reads(target, text.encode()) for text in target.seeds()), target.name


def reads(target: Target, data: bytes) -> bool:
    try:
        target.read(data)
    except target.refuses:
        return False
    return True


def test_a_corpus_that_is_kept_comes_back_and_none_is_of_a_parser_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {path.stem for path in FOLDER.glob("*.zip")} <= set(TARGETS)
    monkeypatch.setattr("benchmarks.fuzzing.corpus_files.FOLDER", tmp_path)
    begun = tmp_path / "begun"
    begun.mkdir()
    target = Target("made_up", bytes.decode, (UnicodeDecodeError,), lambda: iter(["a", "b"]))
    (begun / "found").write_bytes(b"\xff")
    unpack(target, begun)
    (begun / "long").write_bytes(b"c" * 2000)
    assert keep(target, begun) == 1
    assert list(stored(target)) == [b"\xff"]


def test_what_a_parser_does_not_refuse_is_a_fault() -> None:
    def read(data: bytes) -> object:
        return [data][1]

    with pytest.raises(IndexError):
        Target("made_up", read, (ValueError,), lambda: iter(()))(b"")
