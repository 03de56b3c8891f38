from __future__ import annotations

from pathlib import Path

import pytest

from agent.home import Home
from agent.settings_file import read_settings
from sandbox.errors import UsageError


def settle(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "warpwright.toml").write_text(text)
    return folder


def test_a_flag_comes_before_the_projects_file_and_that_before_the_homes(home: Home, tmp_path: Path):
    settle(home.root, '[models]\nmodel = "a"\ntemperature = 0.5\n[budget]\nmax_usd = 3\nmax_tokens = 1000\n')
    project = settle(tmp_path / "project", '[models]\nmodel = "b"\n[budget]\nmax_usd = 2\n')
    settings = read_settings(home, project)
    assert (settings.models.model, settings.model_settings().temperature) == ("b", 0.5)
    assert settings.model_settings(temperature=1.0, planner=None).temperature == 1.0
    assert (settings.limits(max_usd=1.0).max_usd, settings.limits().max_usd) == (1.0, 2.0)
    assert settings.limits().max_tokens == 1000


def test_without_files_everything_is_left_open(home: Home, tmp_path: Path):
    assert read_settings(home, tmp_path).limits().max_usd is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models = ", "is not TOML"),
        ("[models]\ntemprature = 1\n", "models.temprature"),
        ('[prices."m"]\ninput = -1\noutput = 1\n', "prices.m.input"),
        ("[budgets]\n", "budgets"),
    ],
)
def test_a_mistake_in_a_file_is_one_message_that_names_it(home: Home, tmp_path: Path, text: str, said: str):
    with pytest.raises(UsageError, match=rf"warpwright.toml.*{said}"):
        read_settings(home, settle(tmp_path / "project", text))


def test_a_projects_file_cannot_say_where_the_key_is_sent(home: Home, tmp_path: Path):
    project = settle(tmp_path / "project", '[models]\nbase_url = "http://elsewhere/v1"\n')
    with pytest.raises(UsageError, match="would be sent your key"):
        read_settings(home, project)
    settle(home.root, '[models]\nbase_url = "http://here/v1"\n')
    assert read_settings(home, tmp_path).models.base_url == "http://here/v1"


def test_a_flag_out_of_range_is_a_usage_error(home: Home, tmp_path: Path):
    with pytest.raises(UsageError, match="--max-usd"):
        read_settings(home, tmp_path).limits(max_usd=-1.0)
