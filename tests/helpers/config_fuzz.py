"""Random options of a run, as somebody may send them, and a check of each.

``python tests/helpers/config_fuzz.py 100000`` tries this number of them.
"""

import dataclasses
import json
import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from watch import watching

from pyqmix import Config, ConfigError
from pyqmix.base.errors import EnvError
from pyqmix.config.parts import REGISTRIES

# Modules that nobody has loaded: this one writes a file, is in no package, and must never be looked for.
CANARY = "sent_with_the_run"
STRANGERS = {CANARY, "antigravity", "this", "no_such_module"}

SMALL = {"batch_size": 4, "buffer_size": 64, "hidden_dim": 8}
BASES = [
    Config(**SMALL),
    Config(env="lbf", agent="gru", mixer="qplex", positions="both", **SMALL),
    Config(env="two_step", mixer="vdn", **SMALL),
    Config(env="matrix", payoff=[[1, 2.5], [0, -3]], mixer="ow_qmix", **SMALL),
    Config(env="gymnasium", task="Foraging-5x5-2p-1f-v3", env_args={"sight": 2}, **SMALL),
    Config(env="pettingzoo", task="mpe2.simple_spread_v3", env_args={"max_cycles": 5}, **SMALL),
    Config(env="rware", task="rware-tiny-2ag-v2", env_args={"reward_type": "GLOBAL"}, **SMALL),
    Config(env="smac", task="3m", **SMALL),
    Config(env="smac", task="smaclite/3m", **SMALL),
    Config(env="overcooked", task="cramped_room", env_args={"shaped_reward": 1.0}, **SMALL),
    Config(env="vmas", task="balance", **SMALL),
]
BUILT = ("lbf", "two_step", "matrix", "gymnasium", "pettingzoo", "rware", "smac", "overcooked")  # quickly enough

NAMES = [
    *(f"{CANARY}:Thing", f"{CANARY}:X-v0", CANARY, f"{CANARY}.below", f"{CANARY}.below:f", f"smaclite/{CANARY}:X"),
    *(f"rware.{CANARY}:X-v0", f"mpe2.{CANARY}", f"butterfly.{CANARY}:f", f"../../{CANARY}", f"/tmp/{CANARY}.py"),
    *("antigravity:webbrowser", "this:s", "no_such_module:Env-v0", "os:system", "__main__:os.system"),
    *("json:loads", "builtins:eval", "pyqmix.nn.agents:MLPAgent", "pyqmix:train", "x/y:z"),
    *(":", "a:", ":b", "a:b:c", "", ".", "..", "nul\0", "line\nline", "\x1b[31m", "é", "\U0001f600", "x" * 5_000),
    *("lbf", "gymnasium", "pettingzoo", "vmas", "matrix", "gru", "mlp", "qmix", "qplex", "iql", "CartPole-v1"),
    *("mpe2.simple_spread_v3", "Foraging-8x8-2p-3f-v3", "cramped_room", "3m"),
]
NUMBERS = [
    *(0, 1, -1, 2, 3, 64, 0.5, -0.5, 1e-300, 1e308, -1e308),
    *(2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 10**399),
]
OF_STEPS = ["eps_steps", "per_beta_steps", "eval_every", "log_every", "checkpoint_every"]
SHARES = [
    *("40%", "2.5%", "100%", "0.000000001%", "007%", "99.999999999%", "0%", "0.0%", "-5%", "101%", "1e1%", "nan%"),
    *("inf%", "%", "40%%", "40 %", "40%\n", ".5%", "5.%", "٤٠%", f"{'9' * 5_000}%", f"0.{'0' * 5_000}1%", 7, 0),
]
OTHERS = [None, True, False, [], {}, [[]], [None], {"a": None}, [1, "a"], [[1, 2], [3]], {"": ""}]
TOKENS = [
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b'"\\ud800"',
        b"\xff",
        b"\x00",
        b"{",
        b"]",
        b",",
        b":",
        b"null",
        b"1.",
        b"-",
    ),
    *(b"[" * 5_000, b'{"a":' * 200, b"9" * 5_000, b"\xef\xbb\xbf", b'"__class__"'),
]


def value(draw, depth=0):
    """Draw a value that JSON can hold."""
    kind = draw.randrange(8 if depth < 4 else 5)
    if kind < 2:
        return draw.choice(NAMES)
    if kind < 4:
        return draw.choice(NUMBERS)
    if kind == 4:
        return draw.choice(OTHERS)
    if kind == 5:
        return [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind == 6:
        return {draw.choice(NAMES): value(draw, depth + 1) for _ in range(draw.randrange(4))}
    nested = draw.choice(NAMES)
    for _ in range(draw.choice((1, 30, 99, 300))):
        nested = [nested] if draw.random() < 0.5 else {"a": nested}
    return nested


def change(draw, options):
    """Change one of the options."""
    name = draw.choice(list(options) or ["env"])
    match draw.randrange(7):
        case 0:
            options[name] = value(draw)
        case 1:
            options.pop(name, None)
        case 2:
            options[draw.choice(["learning_rate", "self", "cls", "__class__", "", "payoff", "task"])] = value(draw)
        case 3 | 4:
            options[draw.choice([*REGISTRIES, "task"])] = draw.choice(NAMES)
        case 5:
            key = draw.choice(["env_args", "agent_args", "mixer_args"])
            options[key] = {draw.choice(["map", "env_id", "entry_point", "task"]): value(draw)}
        case 6:
            options[draw.choice(OF_STEPS)] = draw.choice(SHARES)


def damaged(draw, text):
    """Change some bytes of a file."""
    content = bytearray(text)
    for _ in range(draw.randrange(1, 4)):
        place = draw.randrange(len(content) + 1)
        match draw.randrange(4):
            case 0 if place < len(content):
                content[place] ^= 1 << draw.randrange(8)
            case 1:
                del content[place : place + draw.choice((1, 10, len(content)))]
            case _:
                content[place:place] = draw.choice(TOKENS)
    return bytes(content)


def example(draw):
    """Draw the bytes of a config.json."""
    options = dataclasses.asdict(draw.choice(BASES))  # without the checksum, which whoever sends it can make
    for _ in range(draw.choice((0, 1, 1, 2, 4))):
        change(draw, options)
    text = json.dumps(options).encode()
    return damaged(draw, text) if draw.random() < 0.25 else text


def is_small(options):
    """Whether no number in the options of the environment makes it large."""
    text = json.dumps([vars(options).get(name) for name in ("env_args", "payoff", "episode_limit")])
    return len(text) < 500 and max(map(len, re.findall(r"\d+", text)), default=0) < 4


def check(path):
    """Read a config.json and build its environment; return how that ended.

    Raises:
        AssertionError: something was imported, executed or written, or a plan cannot be read again.
    """
    known = {option: set(registry) for option, registry in REGISTRIES.items()}
    config = None
    with watching() as seen:
        try:
            config = Config.from_json(path)
            outcome = "a plan"
        except ConfigError as error:
            assert len(str(error)) < 20_000  # noqa: PT017
            outcome = "refused"
    assert seen == [], f"{seen} while {path.read_bytes()[:2_000]!r} was read"
    assert {option: set(registry) for option, registry in REGISTRIES.items()} == known
    if config is None:
        return outcome
    assert config.run_dir in (None, str(path.parent))
    steps = [(given, config.in_steps(given)) for given in (getattr(config, name) or "100%" for name in OF_STEPS)]
    assert all(1 <= found <= config.total_steps or found == given for given, found in steps), steps
    if config.env not in BUILT or not is_small(config):
        return outcome
    with watching() as seen:
        try:
            config.create_env().close()
            outcome = "an environment"
        except (ConfigError, EnvError):
            outcome = "no environment"
    stranger = [name for event, name in seen if event == "import" and STRANGERS & set(name.split("."))]
    written = [each for each in seen if each[0] not in ("import", "exec") and "__pycache__" not in each[1]]
    assert stranger == written == [], f"{stranger} {written} by {path.read_bytes()[:2_000]!r}"
    return outcome


def warm_up():
    """Load what installed packages declare, and classes that are made when they are first used."""
    for registry in REGISTRIES.values():
        for name in registry.names:
            registry[name]
    for base in BASES:
        Config(**dataclasses.asdict(base))


def forget():
    """Forget the module that must not be imported, where a test has imported it."""
    sys.modules.pop(CANARY, None)
    for registry in REGISTRIES.values():
        for name in [name for name in registry if CANARY in name]:
            del registry._entries[name]


def fuzz(examples, seed, folder):
    """Check a number of examples and count how they ended."""
    warm_up()
    outcomes, path = Counter(), Path(folder) / "config.json"
    for number in range(examples):
        path.write_bytes(example(random.Random(seed * 1_000_000_007 + number)))
        outcomes[check(path)] += 1
    return outcomes


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, place))
