"""Ends a program in a fork as the interpreter would end it."""

import atexit
import sys
import threading
import traceback


def exit_code(main):
    """Run a program, and what the interpreter does at its end; return its exit code."""
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)
