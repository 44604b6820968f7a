"""Entry point of the command `parcours`.

Ctrl-C is one line and exit code 130 instead of a traceback, also while Python is still importing. A shell script's `&`
starts its children with SIGINT ignored, so the handler is installed rather than relied on.
"""

from __future__ import annotations

import signal
import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command line; 130 when it is interrupted, else its own exit code."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from infra.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
