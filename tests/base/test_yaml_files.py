"""YAML is read as version 1.2 means it, and written so that it reads back exactly."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyqmix import ConfigError
from pyqmix.base.yaml_files import LARGEST, read_yaml, to_yaml

PLAIN = (
    "a: off\nb: 1e-3\nc: 2_000_000\nd: 2e6\ne: 010\nf: 1:30\ng: 2020-01-01\nh: .inf\ni:\nj: true\nk: '3'\nl: 3m\n"
)


def test_plain_scalars(tmp_path):
    (tmp_path / "x.yaml").write_text(PLAIN)
    assert read_yaml(tmp_path / "x.yaml") == {
        **{"a": "off", "b": 1e-3, "c": 2_000_000, "d": 2e6, "e": 10, "f": "1:30", "g": "2020-01-01"},
        **{"h": ".inf", "i": None, "j": True, "k": "3", "l": "3m"},
    }


def test_an_empty_file_has_no_value(tmp_path):
    (tmp_path / "x.yaml").touch()
    assert read_yaml(tmp_path / "x.yaml") is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: 1\na: 2", ", line 2: expected YAML, but the key 'a' occurs twice"),
        (b"a: {b: 1, b: 1}", "the key 'b' occurs twice"),
        (b"a: &x [1]\nb: *x", ", line 2: expected YAML, but aliases are not supported"),
        (b"a: !!python/object/apply:os.system [exit]", "could not determine a constructor"),
        (b"a: !!binary aGk=", "could not determine a constructor"),
        (b"a: !!bool x", "expected YAML, but"),
        (b"a: 1\n---\nb: 2", "another document"),
        (b"[" * 100_000, "nested too deeply"),
        (b"- " * 50_000, "nested too deeply"),
        (b"? " * 50_000, "nested too deeply"),
        (b"a: " + b"9" * 500, "a number of 500 characters"),
        (b"a: 1e999", "not finite"),
        (b"\0\1", "not allowed"),
        (b"\xff", "codec can't decode"),
        (b"a: [1", "expected ',' or ']'"),
        (b" " * (LARGEST + 1), "at most 131,072 bytes, got 131,073"),
    ],
)
def test_refused(tmp_path, content, words):
    (tmp_path / "x.yaml").write_bytes(content)
    began = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "x.yaml"))
    assert time.process_time() - began < 5


SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False)),
    *(
        st.text(),
        st.sampled_from(["off", "1e-3", "1_0", "~", "", "yes", "1:30", "<<", "0x1f", "=", "-", "#"]),
    ),
)
VALUES = st.recursive(SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3))


@settings(max_examples=30, deadline=None)
@given(values=st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_written_reads_back(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "back.yaml"
    path.write_bytes(to_yaml(values).encode())
    found = read_yaml(path) or {}
    assert repr(found) == repr(values)
