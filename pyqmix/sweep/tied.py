"""Runs a program that gets SIGTERM when the process that started it dies: ``tied.py PARENT PROGRAM ARGUMENT...``.

A worker of Ray kills its own child processes when it ends, and a run that is killed loses its work since its last
checkpoint. So this script is the worker's child, and the run is the script's: Linux sends the run SIGTERM when the
script is killed. The script passes signals on, and ends as the program does. A worker cannot set this itself by
``preexec_fn``, which is not safe in a process that has threads.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run the program, unless the parent has died already."""
    parent, *program = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # until they can be passed on
    _tie(int(parent))
    own = os.getpid()
    child = os.fork()
    if child == 0:
        _tie(own)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a worker of Ray blocks SIGINT
        try:
            os.execv(program[0], program)
        except OSError as error:
            print(f"cannot start {program[0]}: {error.strerror}", file=sys.stderr, flush=True)
            os._exit(127)

    def pass_on(number: int, frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        with suppress(OSError):  # of SIGKILL, which has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(own, -code)
    sys.exit(code)


def _tie(parent: int) -> None:
    """Let this process get SIGTERM when its parent dies, which may have happened."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main()
