"""Run folders that somebody has sent: nothing in them is executed, nothing outside of them is read or written."""

import json
import os
import shutil
import sys
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from config_fuzz import CANARY, forget, warm_up
from run_files import options_of
from watch import watching

from pyqmix import Config, ConfigError, load_policy
from pyqmix.cli import evaluate, export, plot, train
from pyqmix.export import export_policy
from pyqmix.run import checkpoint, manifest
from pyqmix.run.evaluate import evaluate_run
from pyqmix.run.recording import Frame, record_run, save_gif

pytestmark = pytest.mark.timeout(60)  # a FIFO that is opened never ends


@pytest.fixture
def sent(tiny_run, tmp_path, monkeypatch):
    """A run that was sent, next to files of the user's, and a module on Python's path that was sent too."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("the user's")
    for name in ("config.json", "metrics.csv"):
        shutil.copy(tiny_run / name, outside)
    shutil.copytree(tiny_run / "checkpoints", outside / "checkpoints")
    modules = tmp_path / "modules"
    modules.mkdir()
    canary = f"open({str(outside / 'executed')!r}, 'w').close()\nThing = object\n"
    (modules / f"{CANARY}.py").write_text(canary)
    monkeypatch.syspath_prepend(modules)
    monkeypatch.chdir(tmp_path)
    yield SimpleNamespace(run=shutil.copytree(tiny_run, tmp_path / "run"), outside=outside, canary=canary)
    forget()


@pytest.fixture
def call(monkeypatch, capsys):
    """Call a command's main function; return its exit code and what it wrote on stderr."""

    def run(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def refused(sent, call):
    """Require that ways to read a run refuse it in one line, import nothing that was sent and write nothing."""
    ways = {
        "eval": lambda: call(evaluate.main, sent.run, "--episodes", "1"),
        "resume": lambda: call(train.main, "--resume", sent.run, "--total-steps", "320"),
        "plot": lambda: call(plot.main, sent.run, "--out", sent.run.parent / "curves.png"),
        "evaluate_run": lambda: evaluate_run(sent.run, 1, 0),
        "record_run": lambda: record_run(sent.run, sent.run.parent / "run.gif", 0),
        "load_policy": lambda: load_policy(sent.run),
        "export": lambda: call(export.main, sent.run, "--format", "pymarl", "--out", sent.run.parent / "out"),
        "export_policy": lambda: export_policy(sent.run, sent.run.parent / "policy.pt2"),
    }

    def require(words, names):
        before = contents(sent.run.parent)
        for name in names:
            warm_up()
            with watching() as seen:
                if name in ("eval", "resume", "plot", "export"):
                    code, text = ways[name]()
                    assert (code, text.count("\n")) == (2, 1), text
                else:
                    with pytest.raises(ConfigError) as caught:
                        ways[name]()
                    text = str(caught.value)
            assert words in text, name
            assert CANARY not in {module.partition(".")[0] for event, module in seen if event == "import"}
            assert contents(sent.run.parent) == before, name

    return require


def contents(folder):
    """All files below a folder with what they hold, links and FIFOs unread."""
    found = {}
    for path in folder.rglob("*"):
        found[path] = os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
    return found


def change(folder, **options):
    (folder / "config.json").write_text(json.dumps({**options_of(folder), **options}))


def newest(run):
    return checkpoint.find(run)


READS_CONFIG = ("eval", "resume", "evaluate_run", "record_run")


ALL = (*READS_CONFIG, "load_policy", "export", "export_policy")


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (
            READS_CONFIG,
            {"env": f"{CANARY}:Thing"},
            f"its env '{CANARY}:Thing' would import {CANARY}: pass --trust",
        ),
        (READS_CONFIG, {"mixer": "__main__:os.system"}, "its mixer '__main__:os.system' is of the script"),
        (ALL, {"agent": f"{CANARY}:Thing"}, f"(--agent {CANARY}:Thing"),
        (ALL, {"agent": "os:system"}, "its agent 'os:system' would import os"),
        (ALL, {"agent_args": {"net": f"{CANARY}:Thing"}}, "its agent_args has"),
        (["eval"], {"mixer": f"{CANARY}:Thing"}, f"its mixer '{CANARY}:Thing' would import {CANARY}"),
        (["eval"], {"mixer_args": [{f"{CANARY}.x": 1}]}, "its mixer_args has"),
        (["eval"], {"env": "gymnasium", "task": f"{CANARY}:X-v0"}, f"(--task {CANARY}:X-v0)"),
        (["eval"], {"env": "gymnasium", "task": "X-v0", "env_args": {"id": f"{CANARY}:X"}}, "env_args has"),
        (["resume"], {"env": "pettingzoo", "task": CANARY}, f"its task '{CANARY}' can name a module"),
        (["resume"], {"env": "pettingzoo", "task": f"{CANARY}:Thing"}, f"would import {CANARY}"),
        (["eval"], {"env": "smac", "task": f"{CANARY}:Thing"}, f"would import {CANARY}"),
        (["eval"], {"env": "smac", "task": f"smaclite/{CANARY}:X"}, "its task"),
        (["eval"], {"env": "rware", "task": f"rware.{CANARY}:X"}, "its task"),
        (["eval"], {"env": "overcooked", "task": "../../run/kitchen"}, "its task '../../run/kitchen' can name"),
        (["eval"], {"env": "vmas", "task": "../../run/scenario.py"}, "its task"),
        (["eval"], {"env": "lbf", "env_args": {"sight": ["a.b"]}}, "its env_args has 'a.b'"),
    ],
)
def test_names_in_a_folder_import_nothing(sent, refused, names, options, words):
    change(sent.run, **options)
    refused(words, names)


def fifo(path, outside):
    path.unlink()
    os.mkfifo(path)


def device(path, outside):
    path.unlink()
    path.symlink_to("/dev/zero")


def link(path, outside):
    path.unlink()
    path.symlink_to(outside / path.name)


def folder(path, outside):
    path.unlink()
    path.mkdir()


def nested(path, outside):
    path.write_text('{"agent_args": ' + "[" * 100_000)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (fifo, "got a FIFO"),
        (device, "got a symbolic link"),
        (link, "got a symbolic link"),
        (folder, "got a folder"),
        (nested, "nested too deeply"),
    ],
)
def test_a_config_that_is_no_plain_file_is_refused(sent, refused, fault, words):
    fault(sent.run / "config.json", sent.outside)
    refused(words, ["resume"])
    refused("", ["eval", "evaluate_run", "record_run", "load_policy"])


@pytest.mark.parametrize(
    ("fault", "words"),
    [(fifo, "got a FIFO"), (device, "got a symbolic link"), (link, "got a symbolic link"), (folder, "a folder")],
)
def test_metrics_that_are_no_plain_file_are_refused(sent, refused, fault, words):
    fault(sent.run / "metrics.csv", sent.outside)
    refused(words, ("plot", "resume"))


@pytest.mark.parametrize("cell", ["9" * 5_000, "-1", str(10**30), "1e5", "nan", "\0"])
def test_metrics_with_impossible_counts_are_refused(sent, refused, cell):
    (sent.run / "metrics.csv").write_text(f"steps,episodes,updates,epsilon\n{cell},1,1,0.5\n")
    refused("expected the metrics of a run", ("plot",))


@pytest.mark.parametrize("fault", [link, device, fifo, folder])
@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("progress.json", ["eval", "resume", "load_policy"]),
        ("weights.safetensors", ["eval", "resume", "load_policy"]),
        ("training.safetensors", ["resume"]),
        ("replay_0.ring", ["resume"]),
    ],
)
def test_a_checkpoint_whose_file_is_no_plain_file_is_refused(sent, refused, fault, name, names):
    path = newest(sent.run) / name
    shutil.copy(path, sent.outside)
    fault(path, sent.outside)
    if name != "progress.json" or fault is link:
        refused({fifo: "got a FIFO", folder: "got a folder"}.get(fault, "got a symbolic link"), names)
    else:
        refused("", names)


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/step_300"])
def test_a_link_in_place_of_a_checkpoint_is_refused(sent, refused, name):
    path = sent.run / name
    shutil.move(path, sent.outside / "moved")
    path.symlink_to(sent.outside / "moved")
    refused("expected a folder, got a symbolic link", ["eval", "resume", "evaluate_run", "load_policy"])


@pytest.mark.parametrize(
    "name", ["../../../outside/precious", "/etc/hostname", "..", "", "a/../weights.safetensors"]
)
def test_a_checkpoint_lists_files_of_its_own_folder_alone(sent, refused, name):
    state = json.loads((newest(sent.run) / "progress.json").read_text())
    for key in ("version", "checksum"):
        del state[key]
    state["files"][name] = manifest.entry_of(b"the user's")
    (newest(sent.run) / "progress.json").write_bytes(manifest.pack(state))
    refused("expected the files of a checkpoint", ["eval", "resume", "load_policy"])


@pytest.mark.parametrize("name", ["run.lock", "events.out.tfevents.1.x.1.0"])
def test_links_and_fifos_beside_the_files_do_not_stop_a_run(sent, call, name):
    (sent.run / name).unlink(missing_ok=True)
    if name == "run.lock":
        (sent.run / name).symlink_to(sent.outside / "precious")
        code, text = call(train.main, "--resume", sent.run, "--total-steps", "320")
        assert (code, text.count("\n")) == (2, 1)
        assert "cannot lock" in text
    else:
        os.mkfifo(sent.run / name)
        assert call(train.main, "--resume", sent.run, "--total-steps", "320") == (0, "")
    assert (sent.outside / "precious").read_text() == "the user's"


@pytest.mark.parametrize("name", ["curve.png", "report.html", "summary.json"])
def test_a_resumed_run_replaces_links_and_does_not_follow_them(sent, call, name):
    before = contents(sent.outside)
    (sent.run / name).unlink()
    (sent.run / name).symlink_to(sent.outside / "precious")
    assert call(train.main, "--resume", sent.run, "--total-steps", "320") == (0, "")
    assert contents(sent.outside) == before
    assert not (sent.run / name).is_symlink()


def test_a_run_goes_on_where_the_user_says(sent, call):
    elsewhere = sent.outside / "elsewhere"
    change(sent.run, run_dir=str(elsewhere), init_from=str(sent.outside / "gone"))
    assert Config.from_json(sent.run / "config.json").run_dir == str(sent.run)
    assert call(train.main, "--resume", sent.run, "--total-steps", "320") == (0, "")
    assert not elsewhere.exists()


@pytest.mark.parametrize("there", ["a link", "a folder", "a FIFO"])
def test_pictures_replace_nothing_but_files(sent, call, there):
    image, film = sent.run / "picture.png", sent.run / "picture.gif"
    for target in (image, film):
        match there:
            case "a link":
                target.symlink_to(sent.outside / "precious")
            case "a folder":
                target.mkdir()
            case "a FIFO":
                os.mkfifo(target)
    code, text = call(plot.main, sent.run, "--out", image)
    assert (code, text.count("\n")) == (2, 1)
    assert "expected a regular file or none" in text
    with pytest.raises(ConfigError, match="expected a regular file or none"):
        record_run(sent.run, film, 0)
    assert (sent.outside / "precious").read_text() == "the user's"


def test_a_gif_replaces_a_link_that_appears_meanwhile(sent):
    target = sent.run / "picture.gif"

    def frames():
        yield Frame(np.zeros((4, 4, 3), np.uint8), 0.2)
        target.symlink_to(sent.outside / "precious")

    save_gif(target, frames())
    assert not target.is_symlink()
    assert (sent.outside / "precious").read_text() == "the user's"


def test_trust_or_the_name_lets_a_folder_import(sent, call):
    change(sent.run, mixer=f"{CANARY}:Thing")
    for arguments in (["--trust"], ["--mixer", f"{CANARY}:Thing"]):
        code, text = call(evaluate.main, sent.run, *arguments)
        assert code == 2
        assert "would import" not in text
        assert (sent.outside / "executed").exists()
    code, text = call(evaluate.main, sent.run, "--mixer", "other:Thing")
    assert (code, "--mixer: expected that of the run" in text) == (2, True)


def test_the_current_folder_is_searched_for_what_the_user_names_alone(sent, call, monkeypatch):
    here = str(sent.run.parent)
    for main, arguments in ((evaluate.main, [sent.run]), (train.main, ["--resume", sent.run])):
        change(sent.run, env="pettingzoo", task=f"{CANARY}:Thing")
        monkeypatch.setattr(sys, "path", [each for each in sys.path if each != here])
        assert call(main, *arguments)[0] == 2
        assert here not in sys.path
        with suppress(Exception):
            call(main, *arguments, "--task", f"{CANARY}:Thing")
        assert sys.path[-1] == here


ABSENT = ("smac", "smaclite", "overcooked_ai_py", "tensorflow", "pandas", "IPython", "moviepy", "cv2", "mpi4py")


@pytest.mark.slow
@pytest.mark.parametrize("line", ["pyqmix-eval run", "pyqmix-train --resume run"])
def test_a_command_inside_the_folder_imports_nothing_from_it(sent, run_command, line):
    """Modules there have the names of optional packages, which are not installed here."""
    for name in ABSENT:
        (sent.run.parent / f"{name}.py").write_text(sent.canary)  # the folder in which the command starts
    change(sent.run, env="smac", task="3m")
    code, _, text = run_command(*line.split())
    assert (code, text.count("\n")) == (2, 1)
    assert "SMAC need smac: pip install" in text
    assert not (sent.outside / "executed").exists()
