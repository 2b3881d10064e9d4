"""Sees imports, executed code and files that are written, in this process."""

import os
import sys
from contextlib import contextmanager

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
_PROGRAMS = ("exec", "os.exec", "os.fork", "os.posix_spawn", "os.system", "subprocess.Popen")
_seen = None  # an audit hook stays for the process's life, so it is told when to look


def _audit(event, arguments):
    if _seen is None:
        return
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        _seen.append(("write", str(arguments[0])))
    elif event in _CHANGES or event in _PROGRAMS:
        _seen.append((event, str(arguments[0])))


class _Finder:
    """Notes the name of every module that is looked for and not loaded yet."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if _seen is not None:
            _seen.append(("import", name))


sys.addaudithook(_audit)


@contextmanager
def watching():
    """Give a list of (event, its object), which grows while the block runs."""
    global _seen
    seen = _seen = []
    sys.meta_path.insert(0, _Finder)
    try:
        yield seen
    finally:
        sys.meta_path.remove(_Finder)
        _seen = None
