"""One run at a time on a host: a lock on the host itself, held by an open session, with its holder's name.

The kernel's flock is the lock, so that it goes with the session that holds it: when our process dies, sshd
ends the session; when our machine or the network dies without a word, its heartbeat stops.
"""

from __future__ import annotations

import contextlib
import threading

import paramiko

from inventory.models.command import Command
from inventory.printable import last_line
from tasks.drivers.errors import CommandFailed, HostLocked
from tasks.drivers.ssh_sudo import Sudo

PATH = "/run/safe-harbor.lock"  # /run is root's alone, and empty after a boot
SILENT_S = 20  # a holder that says nothing for so long is dead
_BEAT_S = 5.0
_TAKEN_WITHIN_S = SILENT_S + 10.0
_HELD, _TAKEN = "held", 75

# $1 the lock, $2 the holder, $3 after how many silent seconds it is let go. A session of ours that was cut
# off may hold it still: that one is waited for. No child may keep the lock's descriptor.
_TAKE = """
exec 9>>"$1" || exit 74
if ! flock -n 9; then
  case $(cat "$1") in
    "$2, since "*) flock -w "$3" 9 || { cat "$1"; exit 75; } ;;
    *) cat "$1"; exit 75 ;;
  esac
fi
printf '%s, since %s\\n' "$2" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" > "$1"
echo held
while beat=$(exec 9>&-; exec timeout "$3" head -n 1) && [ -n "$beat" ]; do :; done
: > "$1"
"""


class HostLock:
    """A lock that is held. Made by `take`."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._over = threading.Event()
        threading.Thread(target=self._beat, name="host-lock", daemon=True).start()

    @classmethod
    def take(cls, host: str, channel: paramiko.Channel, sudo: Sudo, holder: str) -> HostLock:
        """Take it. Raises HostLocked, Denied, CommandFailed, and what paramiko raises."""
        channel.settimeout(_TAKEN_WITHIN_S)
        take = sudo.wrapped(Command.of("sh", "-c", _TAKE, "sh", PATH, holder, SILENT_S))
        channel.exec_command(take.render())
        channel.sendall(sudo.preamble())
        said = channel.makefile("rb").readline(1000).decode("utf-8", "replace").strip()
        if said == _HELD:
            return cls(channel)
        with contextlib.closing(channel):
            code = channel.recv_exit_status()
            if code == -1:
                raise paramiko.SSHException("it was lost while the lock was taken")
            if code == _TAKEN:
                raise HostLocked(
                    host,
                    f"is being changed by {last_line(said) or 'a run that has not said its name yet'}",
                    f"let that run end, then run again; a dead run's lock is let go within {SILENT_S} s",
                )
            why = last_line(channel.makefile_stderr("rb").read(4096).decode("utf-8", "replace"))
            if sudo.refused(code, why):
                raise sudo.denied(why)
            raise CommandFailed(host, f"{PATH} cannot be taken: {why or f'it ended with {code}'}")

    def held(self) -> bool:
        """Whether the session that holds it lives."""
        return not (self._channel.closed or self._channel.exit_status_ready())

    def release(self) -> None:
        """Let it go, and wait until the host has."""
        self._over.set()
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # gone already: so is the lock
            self._channel.shutdown_write()
            self._channel.status_event.wait(2.0)
        self._channel.close()

    def _beat(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # `held` tells
            while not self._over.wait(_BEAT_S) and self.held():
                self._channel.sendall(b"beat\n")
