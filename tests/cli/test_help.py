"""The help: options in groups by topic, with their defaults, at every width."""

import re
from contextlib import suppress

import pytest

from pyqmix.base.describe import describe, shown
from pyqmix.cli import evaluate, export, import_model, plot, train
from pyqmix.cli.help import NARROWEST, WIDEST, print_help
from pyqmix.cli.train_options import OWN_NAMES, all_options
from pyqmix.config import from_preset
from pyqmix.config.config import config_class
from pyqmix.config.options import RunOptions
from pyqmix.envs import FAMILIES


@pytest.fixture
def shows(monkeypatch, capsys):
    """Call a command for its help."""

    def show(main, *arguments, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr("sys.argv", ["command", *arguments])
        with suppress(SystemExit):
            main()
        return capsys.readouterr().out

    return show


def one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize("width", [20, 40, 80, 140])
@pytest.mark.parametrize(
    ("main", "which"),
    [
        *((train.main, "--help-all"), (evaluate.main, "-h"), (plot.main, "--help")),
        *((export.main, "-h"), (import_model.main, "--help")),
    ],
)
def test_no_line_is_wider_than_the_terminal(shows, main, which, width):
    lines = shows(main, which, width=width).splitlines()
    assert all(len(line) <= min(max(width, NARROWEST), WIDEST) for line in lines)
    assert lines[0].startswith("usage: pyqmix-")


@pytest.mark.parametrize("width", [40, 100])
def test_all_options_stand_under_their_topics_with_their_defaults(shows, width):
    text = shows(train.main, "--help-all", width=width)
    topics = re.findall(r"^[A-Z].*\n(?=  -)", text, re.MULTILINE)
    assert [topic.strip() for topic in topics] == [
        *("Environment", "Configuration", "Run", "Agent and mixer", "Learning", "Targets", "Exploration"),
        *("Replay", "Episodes", "Evaluation and log", "Checkpoints", "Machine", "Help"),
    ]
    values, flat = vars(from_preset("lbf")), one_line(text)
    for each in all_options(config_class("lbf"), essential=False):
        assert one_line(f"{each.usage} {each.sentence}") in flat, each.name
        value = values.get(each.name)
        if shown(value):
            origin = "default" if value == each.default else "preset lbf"
            assert f"{each.sentence} ({origin}: {shown(value)})" in flat, each.name
    assert "--payoff" not in text


def test_a_first_look_shows_what_most_runs_need(shows):
    text = shows(train.main, "--help")
    names = re.findall(r"^  (?:-h, )?--([a-z-]+)", text, re.MULTILINE)
    assert len(names) <= 18
    assert {"env", "task", "preset", "config", "total-steps", "seed", "run-dir", "resume", "mixer", "agent"} <= {
        *names
    }
    count = len(all_options(config_class("lbf"), essential=False))
    assert text.endswith(f"--help-all shows all {count} options; with --env, those of that environment.\n")


def test_options_of_the_environment_that_is_named(shows):
    text = shows(train.main, "--env", "matrix", "--help")
    assert "--payoff JSON" in text
    assert "(given: matrix)" in text
    assert "  --task" not in text


def test_presets_follow_the_command_line(shows):
    text = one_line(shows(train.main, "--episodes-per-update=4", "--help-all"))
    assert re.search(r"--eps-steps INT\|N% [^(]*.preset lbf: 10%\)", text)
    assert "in place of --updates-per-episode: 4 is its 0.25. (given: 4)" in text
    assert "0.25 is one for every four episodes. Default: 1. --" in text


@pytest.mark.parametrize("family", FAMILIES.names)
def test_every_option_has_a_sentence_and_a_topic(family):
    for each in describe(config_class(family)):
        assert each.sentence.endswith("."), each.name
        assert (each.topic is not None) == (each.name in RunOptions.__dataclass_fields__), each.name


def test_options_of_the_command_are_not_the_runs():
    assert not {*OWN_NAMES} & {*RunOptions.__dataclass_fields__}
    assert [each.name for each in all_options(config_class("smax"), essential=False) if not each.topic] == []


def test_other_commands_show_what_must_be_given_first(shows):
    assert shows(evaluate.main, "--help").startswith("usage: pyqmix-eval [OPTIONS] RUN_DIR\n")
    assert "(default: 100)" in shows(evaluate.main, "run", "--help")


def test_paragraphs_are_broken_where_the_terminal_ends(capsys):
    print_help("command", "One line\nof a paragraph.\n\nAnother.", [])
    assert capsys.readouterr().out == "usage: command [OPTIONS]\n\nOne line of a paragraph.\n\nAnother.\n"
