"""Files that are written whole or not at all."""

import errno
import os
import stat

import pytest

from pyqmix.base import files
from pyqmix.base.files import flush, open_to_append, remove_unfinished, replacing, write_new, write_text


@pytest.fixture
def failing(monkeypatch):
    """Let a function of the operating system fail, for the paths that a condition accepts."""

    def let(name, code, when=lambda path: True):
        whole = getattr(os, name)

        def fail(what, *arguments):
            path = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fspath(what)
            if when(path):
                raise OSError(
                    code, os.strerror(code), *([what, None, *arguments] if isinstance(what, str) else [])
                )
            return whole(what, *arguments)

        monkeypatch.setattr(files.os, name, fail)

    return let


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_an_error_names_the_file_and_not_a_temporary_one(tmp_path, failing, name):
    path = tmp_path / "config.json"
    write_text(path, "old")
    failing(name, errno.EIO, lambda path: ".partial" in path)
    with pytest.raises(OSError, match=f"^\\[Errno {errno.EIO}\\] Input/output error: '{path}'$"):
        write_text(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]
    assert path.read_text() == "old"


def test_an_error_about_the_folder_names_the_file(tmp_path, failing):
    with pytest.raises(FileNotFoundError) as caught:
        write_text(tmp_path / "gone/config.json", "new")
    assert caught.value.filename == str(tmp_path / "gone/config.json")
    failing("fsync", errno.EIO, lambda path: path == str(tmp_path))
    with pytest.raises(OSError, match=r"config\.json'$"):
        write_text(tmp_path / "config.json", "new")


def test_an_error_of_the_block_stays_as_it_is(tmp_path):
    with pytest.raises(OSError, match=r"another\.txt") as caught, replacing(tmp_path / "curve.png") as temporary:
        temporary.unlink()  # so that its removal fails, too
        (tmp_path / "another.txt").read_text()
    assert caught.value.filename == str(tmp_path / "another.txt")


def test_a_file_system_that_cannot_synchronise_folders_is_no_error(tmp_path, failing):
    failing("fsync", errno.EINVAL, lambda path: True)
    flush(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Invalid argument"):
        flush(tmp_path / "file")


def test_only_what_an_interrupted_write_has_left_is_removed(tmp_path, monkeypatch):
    path = tmp_path / "config[1].json"
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "unlink", lambda name: None)
        patched.setattr(files.os, "replace", lambda old, new: (_ for _ in ()).throw(KeyboardInterrupt))
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                write_text(path, "half")
    assert len(list(tmp_path.iterdir())) == 3
    others = [
        "config[1].json.partial", "config[1].json.mine.partial", "config[1].json.abcd1234.partial.txt",
        "config[1].json.ABCD1234.partial", "config1.json.abcd1234.partial", "my-config[1].json.abcd1234.partial",
    ]  # fmt: skip
    for name in others:
        (tmp_path / name).touch()
    folder = tmp_path / "config[1].json.abcdefgh.partial"
    folder.mkdir()
    link = tmp_path / "config[1].json.ijklmnop.partial"
    link.symlink_to("gone")
    remove_unfinished(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*others, folder.name, link.name])


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o027, 0o077])
def test_a_file_has_the_mode_that_the_umask_gives(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "it", "text")
        write_text(tmp_path / "it", "again")
        write_new(tmp_path / "new", b"text")
        open_to_append(tmp_path / "log").close()
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {0o666 & ~umask}
