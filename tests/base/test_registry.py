"""Named things: registered, declared by packages, and imported by module:attribute."""

import functools
import pickle

import own_parts
import pytest

from pyqmix import Config, ConfigError, register_env, register_mixer
from pyqmix.base.registry import Registry
from pyqmix.nn import MIXERS


@pytest.fixture
def registry():
    return Registry("colour", "pyqmix.tests.colours", {"red": 1}, lambda name, given: given)


def test_iterating_gives_those_in_memory_and_lookup_imports(registry):
    assert registry["own_parts:WeightedSum"] is own_parts.WeightedSum
    assert registry["red"] == 1
    assert registry.names == ("red",)


def test_near_names_are_suggested(registry):
    with pytest.raises(ConfigError, match=r"colour: expected one of red, got 'rad'; did you mean red\?"):
        registry["rad"]


@pytest.mark.parametrize(
    ("name", "reason"), [("no_such_module:X", "No module named"), ("own_parts:Nothing", "no attribute 'Nothing'")]
)
def test_a_reference_that_cannot_be_imported_says_why(registry, name, reason):
    with pytest.raises(ConfigError, match=f"colour: cannot import '{name}': .*{reason}"):
        registry[name]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "-a", 3])
def test_a_registered_name_is_a_word(registry, name):
    with pytest.raises(ConfigError, match="colour: expected a name of letters"):
        registry.register(name, len)


def test_a_name_is_registered_once(registry):
    registry.register("mine", own_parts.WeightedSum)
    registry.register("mine", own_parts.WeightedSum)  # a notebook's cell that is run again
    with pytest.raises(ConfigError, match="colour: the name 'mine' is registered already"):
        registry.register("mine", own_parts.Meeting)
    with pytest.raises(ConfigError, match="colour: the name 'red' is registered already"):
        registry.register("red", own_parts.Meeting)


def test_what_a_program_brought_is_restored_elsewhere(registry):
    name = registry.refer(lambda: 3)
    other = Registry("colour", registry.group, {}, lambda name, given: given)
    other.restore(name, registry.brought(name))
    assert other[name]() == 3


def test_classes_of_one_name_are_told_apart(registry):
    def make(text):
        class Local:
            answer = text

        return Local

    one, other = make("one"), make("other")
    names = [registry.refer(given) for given in (one, other, one)]
    assert names[1] == f"{names[0]}#2"
    assert names[2] == names[0]
    assert [registry[name].answer for name in names] == ["one", "other", "one"]


def test_a_partial_is_not_taken_for_its_class(registry):
    name = registry.refer(functools.partial(own_parts.WeightedSum, offset=2.0))
    assert name == "own_parts:WeightedSum(...)"
    other = Registry("colour", registry.group, {}, lambda name, given: given)
    with pytest.raises(ConfigError, match=r"colour: cannot import 'own_parts:WeightedSum\(\.\.\.\)'"):
        other[name]


def test_a_config_travels_with_the_parts_that_a_program_brought():
    register_env("meeting-of-registry", own_parts.Meeting)
    register_mixer("sum-of-registry", own_parts.WeightedSum)
    config = Config(env="meeting-of-registry", mixer="sum-of-registry", episode_limit=6)
    assert pickle.loads(pickle.dumps(config)) == config
    text = pickle.dumps(config)
    del MIXERS._entries["sum-of-registry"], MIXERS._brought["sum-of-registry"]
    with pytest.raises(ConfigError, match="mixer: expected one of qmix"):
        Config(mixer="sum-of-registry")
    assert pickle.loads(text).mixer == "sum-of-registry"


def test_a_part_that_cannot_be_called():
    with pytest.raises(ConfigError, match="expected a class or a function"):
        Config().with_own(mixer=3)
    with pytest.raises(ConfigError, match="expected a class or a function"):
        register_env("number-of-registry", 3)
