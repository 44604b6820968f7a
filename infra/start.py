"""Entry point of the command `parcours`.

Ctrl-C is one line and exit code 130 instead of a traceback, also while Python is still importing. A shell script's `&`
starts its children with SIGINT ignored, so the handler is installed rather than relied on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

INTERRUPTED = 130
UNREAD = 141
"""As shells say of a program whose output nobody reads any more."""


def main() -> int:
    """Run the command line; 130 when it is interrupted, else its own exit code."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from infra.cli import main as run

        code = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # `parcours verify … | head`: nobody reads on. Python would write again at its end, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = UNREAD
    return _ended(code)


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
