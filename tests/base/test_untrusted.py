"""Reading files that may come from elsewhere."""

import os
import socket
import stat

import pytest

from pyqmix import ConfigError
from pyqmix.base import untrusted
from pyqmix.base.untrusted import read_bytes, read_json, read_text, require_folder


def test_a_regular_file_is_read_whole_through_a_link_above_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_bytes(b"\x00\xff" * 5)
    (tmp_path / "link").symlink_to("real")
    assert read_bytes(tmp_path / "link/file", most=10) == b"\x00\xff" * 5
    with pytest.raises(ConfigError, match=r"file: expected data of at most 9 bytes, got 10$"):
        read_bytes(tmp_path / "real/file", most=9)


@pytest.fixture
def not_regular(tmp_path):
    """Make a path of a kind, with the words for it; reading one of them would hang, or read something else."""

    def make(kind):
        path = tmp_path / "it"
        match kind:
            case "a folder":
                path.mkdir()
            case "a FIFO":
                os.mkfifo(path)
            case "a symbolic link":
                (tmp_path / "there").write_text("{}")
                path.symlink_to("there")
            case "a dangling link":
                path.symlink_to("gone")
                return path, "a symbolic link"
            case "a socket":
                with socket.socket(socket.AF_UNIX) as bound:
                    bound.bind(str(path))
            case "a device":
                return "/dev/zero", kind
        return path, kind

    return make


@pytest.mark.parametrize(
    "kind", ["a folder", "a FIFO", "a symbolic link", "a dangling link", "a socket", "a device"]
)
def test_anything_but_a_regular_file_is_refused(not_regular, kind):
    path, words = not_regular(kind)
    with pytest.raises(
        ConfigError, match=f"^{path}: expected the options of a run in a regular file, got {words}$"
    ):
        read_json(path, content="the options of a run")
    if kind != "a folder":
        with pytest.raises(ConfigError, match=f"^{path}: expected a folder, got {words}$"):
            require_folder(path)


@pytest.mark.parametrize("kind", ["a FIFO", "a symbolic link"])
def test_a_file_that_is_exchanged_before_it_is_opened_is_refused(not_regular, monkeypatch, tmp_path, kind):
    path, words = not_regular(kind)
    (tmp_path / "regular").touch()
    before = os.lstat(tmp_path / "regular")
    monkeypatch.setattr(untrusted.os, "lstat", lambda _: before)
    with pytest.raises(ConfigError, match=f"got {words}$"):
        read_bytes(path)


def test_a_file_that_grows_is_read_up_to_the_size_that_was_checked(tmp_path, monkeypatch):
    path, fstat = tmp_path / "grows", os.fstat
    path.write_bytes(b"12345")

    def grow(descriptor):
        found = fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            with path.open("ab") as file:
                file.write(b"678")
        return found

    monkeypatch.setattr(untrusted.os, "fstat", grow)
    assert read_bytes(path, most=5).startswith(b"12345")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("gone", "No such file or directory"), ("a\0b", "embedded null"), ("\ud800", "surrogates not allowed")],
)
def test_an_absent_file_and_an_impossible_name_are_config_errors(tmp_path, name, reason):
    for read in (read_bytes, read_text, read_json, require_folder):
        with pytest.raises(ConfigError, match=f": expected .*, but .*{reason}"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b'"\xff"', "can't decode byte 0xff"),
        (b'{"a": NaN}', "it holds NaN, which is not finite"),
        (b"[-Infinity]", "it holds -Infinity, which is not finite"),
        (b"[1e999]", "it holds 1e999, which is not finite"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 101 + b"]" * 101, "more than 100 levels"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "more than 100 levels"),
        (b'["\\ud800"]', "surrogates not allowed"),
        (b'{"\\udfff": 1}', "surrogates not allowed"),
        (b"9" * 401, "a number of 401 characters"),
        (b"0." + b"1" * 400, "a number of 402 characters"),
    ],
)
def test_text_that_is_no_plain_json_is_refused(tmp_path, text, reason):
    path = tmp_path / "config.json"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=f"^{path}: expected JSON, but .*{reason}") as caught:
        read_json(path)
    assert len(str(caught.value)) < 300


def test_plain_json_is_read(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"a": [1, -2.5e-3, true, null, "\\ud83d\\ude00"], "b": ' + "[" * 98 + "]" * 98 + "}")
    value = read_json(path)
    assert value["a"] == [1, -2.5e-3, True, None, "\U0001f600"]


def test_a_link_to_a_folder_is_no_folder(tmp_path):
    (tmp_path / "real/below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    require_folder(tmp_path / "real")
    require_folder(tmp_path / "link/below")
    with pytest.raises(ConfigError, match=r"expected a folder, got a symbolic link$"):
        require_folder(tmp_path / "link")
