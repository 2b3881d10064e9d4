"""Options that somebody may send: a valid plan or a ConfigError, and nothing is imported, executed or written.

``PYQMIX_FUZZ=100000 pytest tests/config/test_config_fuzz.py`` tries more of them.
"""

import dataclasses
import json
import os

import config_fuzz
import pytest
from config_fuzz import CANARY, check, fuzz

from pyqmix import Config
from pyqmix.config import saved

EXAMPLES = int(os.environ.get("PYQMIX_FUZZ", "300"))


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A module on Python's path that leaves a file behind when it is imported; return that file."""
    (tmp_path / "elsewhere").mkdir()
    traces = tmp_path / "imported"
    (tmp_path / "elsewhere" / f"{CANARY}.py").write_text(f"open({str(traces)!r}, 'w').close()\nThing = object\n")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    yield traces
    config_fuzz.forget()


@pytest.mark.timeout(3_600)
@pytest.mark.filterwarnings("ignore")  # of libraries, about tasks that they have and that pyqmix cannot play
@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(5_000, marks=pytest.mark.slow)])
def test_options_are_a_plan_or_refused_and_import_nothing(tmp_path, canary, examples):
    (tmp_path / "run").mkdir()
    outcomes = fuzz(examples, seed=examples, folder=tmp_path / "run")
    assert sum(outcomes.values()) == examples
    assert min(outcomes["refused"], outcomes["an environment"]) > examples / 20
    assert not canary.exists()


@pytest.mark.parametrize(
    "options",
    [
        *({option: f"{CANARY}:Thing"} for option in ("env", "agent", "mixer")),
        {"env": "gymnasium", "task": f"{CANARY}:X-v0"},
        {"env": "pettingzoo", "task": f"{CANARY}:Thing"},
        {"env": "pettingzoo", "task": CANARY},
        {"env": "smac", "task": f"{CANARY}:Thing"},
        {"env": "rware", "task": f"rware.{CANARY}:X-v0"},
    ],
)
def test_the_check_sees_an_import_where_the_gate_is_taken_away(tmp_path, canary, monkeypatch, options):
    config_fuzz.warm_up()
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**dataclasses.asdict(Config(**config_fuzz.SMALL)), **options}))
    assert check(path) == "refused"
    assert not canary.exists()
    monkeypatch.setattr(saved, "require_trusted_name", lambda *_: None)
    monkeypatch.setattr(saved, "require_trusted_values", lambda *_: None)
    with pytest.raises(AssertionError, match=CANARY):
        check(path)
