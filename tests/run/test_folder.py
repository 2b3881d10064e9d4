"""Where the folder of a run may be."""

import os

import pytest

from pyqmix import Config, ConfigError, train


@pytest.mark.parametrize("given", ["run\udcff", "run"])
def test_a_path_that_is_not_utf_8_is_refused_before_anything_is_written(tmp_path, monkeypatch, given):
    here = tmp_path / "here\udcff"
    os.mkdir(here)
    monkeypatch.chdir(tmp_path if given != "run" else here)
    with pytest.raises(ConfigError, match="run_dir: expected a path of UTF-8, got "):
        train(Config(env="two_step", run_dir=given, total_steps=20), quiet=True)
    assert os.listdir(tmp_path) == [here.name]
    assert os.listdir(here) == []
