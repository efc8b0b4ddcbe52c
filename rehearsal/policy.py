"""Keeps Debian packages from starting their daemons while we install them: `/usr/sbin/policy-rc.d`.

A run that is killed meanwhile leaves the file. It says whose it is, and whoever needs it holds a lock on it:
a later run takes away what nobody holds, and never one that somebody else has put there.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# invoke-rc.d asks it before it starts a daemon; 101 means no.
FILE = Path("/usr/sbin/policy-rc.d")
_OURS = """\
#!/bin/sh
# Of `safe-harbor rehearse`, while it installs packages; `safe-harbor rehearse down` removes what was left.
exit 101
"""


@contextmanager
def no_daemons() -> Iterator[None]:
    """During the block packages start nothing. A policy of somebody else's stays as it is."""
    remove_left()
    if FILE.exists():
        yield
        return
    try:
        FILE.write_text(_OURS)
        FILE.chmod(0o755)
        with FILE.open("rb") as held:  # for reading: a program that is open for writing cannot be started
            fcntl.flock(held, fcntl.LOCK_SH)
            yield
    finally:
        FILE.unlink(missing_ok=True)


def remove_left() -> bool:
    """Take away what a killed run of ours has left; whether there was something."""
    if not FILE.is_file():
        return False
    with FILE.open("rb") as found:
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # packages are being installed at this moment
        if found.read() != _OURS.encode():
            return False
        FILE.unlink()
        return True
