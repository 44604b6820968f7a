"""Entry point of the command `parcours`.

Ctrl-C is one line and exit code 130 instead of a traceback, also while Python is still importing. A shell script's `&`
starts its children with SIGINT ignored, so the handler is installed rather than relied on.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence

MANY = 100_000
"""Objects after which Python looks for rings of them again: a crowd makes millions, and none in rings."""

INTERRUPTED = 130
UNREAD = 141
"""As shells say of a program whose output nobody reads any more."""


def main() -> int:
    """Run the command line; 130 when it is interrupted, else its own exit code."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        gc.set_threshold(MANY)
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # `parcours verify … | head`: nobody reads on. Python would write again at its end, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = UNREAD
    return _ended(code)


def _run(arguments: Sequence[str]) -> int:
    """Run the command, of which `allocate` and `verify` leave out what deploys and shows: that imports longest."""
    if arguments and arguments[0] in ("allocate", "verify"):
        from infra.files.allocate import main as on_files

        return on_files(arguments)
    from infra.cli import main as whole

    return whole()


def _ended(code: int) -> int:
    """The exit code. Where a solver that ran out of time is still at work, the process ends here.

    Python would go on to take the library of the solver down under its threads, which ends in an abort.
    """
    if threading.active_count() > 1:
        from functions.allocate.exact.milp import SOLVER

        if any(thread.name == SOLVER for thread in threading.enumerate()):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
