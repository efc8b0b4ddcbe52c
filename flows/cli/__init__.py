"""The command line. `main` is the entry point of `safe-harbor`.

Law: parses arguments, starts flows or stand-alone functions, shows what they did and maps exceptions to the
exit codes of `exits`. Imports of Prefect, matplotlib and the rehearsal stay inside the commands that need
them, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys

from flows.cli.exits import answering
from flows.cli.root import app


def main() -> None:
    """Run the command that the process's arguments name, and exit with its code."""
    # A service manager's or CI's stop: what was begun is ended, and said, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(answering(app, sys.argv[1:]))
