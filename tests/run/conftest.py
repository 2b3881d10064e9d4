"""A run whose episodes are drawn."""

import pytest
from recordings import Drawn

from pyqmix import Config, train


@pytest.fixture(scope="session")
def once_trained(tmp_path_factory, tiny_config):
    folder = tmp_path_factory.mktemp("drawn") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, "create_env", lambda self: Drawn())
        train(tiny_config(run_dir=str(folder), total_steps=12), quiet=True)
    return folder


@pytest.fixture
def drawn_run(once_trained, monkeypatch):
    """A run of episodes of three steps."""
    monkeypatch.setattr(Config, "create_env", lambda self: Drawn())
    return once_trained
