"""Becoming root by sudo: without a password, or with one that travels on stdin and nowhere else."""

from __future__ import annotations

import secrets
from pathlib import Path

import paramiko

from inventory.errors import BadInput
from inventory.models.command import Command
from inventory.models.secret import Secret
from inventory.models.ssh import Ssh
from inventory.printable import last_line
from tasks.drivers.errors import Denied

# sudo reads the password only where it wants one (NOPASSWD): nothing before the mark is the command's input.
_AFTER_THE_MARK = """
IFS= read -r said; [ "$said" = "$0" ] || IFS= read -r said
[ "$said" = "$0" ] || { echo 'the mark did not arrive' >&2; exit 77; }
exec "$@"
"""
_PROVED_WITHIN_S = 30.0  # PAM may ask a directory, and waits on purpose after a wrong password


class Sudo:
    """How commands of one host become root's."""

    def __init__(self, host: str, ssh: Ssh) -> None:
        self._host, self._user, self._file = host, ssh.user, ssh.sudo_password_file
        self._mark = secrets.token_hex(16)

    def wrapped(self, command: Command) -> Command:
        """The command, run by root."""
        if self._user == "root":
            return command
        if self._file is None:
            return Command.of("sudo", "-n", "--", *command.words)
        marked = ("sh", "-c", _AFTER_THE_MARK, self._mark)
        return Command.of("sudo", "-k", "-S", "-p", "", "--", *marked, *command.words)

    def preamble(self) -> bytes:
        """What goes to stdin before the command's own input. Raises BadInput."""
        if self._file is None:
            return b""
        return f"{_password(self._file).reveal()}\n{self._mark}\n".encode()

    def prove(self, transport: paramiko.Transport) -> None:
        """Try the password once, alone: a wrong one must not be tried again with a command's input.

        Raises Denied, BadInput.
        """
        if self._file is None:
            return
        channel = transport.open_session(timeout=_PROVED_WITHIN_S)
        try:
            channel.settimeout(_PROVED_WITHIN_S)
            channel.exec_command(Command.of("sudo", "-k", "-S", "-p", "", "--", "true").render())
            channel.sendall(f"{_password(self._file).reveal()}\n".encode())
            channel.shutdown_write()
            said = channel.makefile_stderr("rb").read(4096).decode("utf-8", "replace")
            if not channel.status_event.wait(_PROVED_WITHIN_S):
                raise Denied(self._host, f"sudo did not answer within {_PROVED_WITHIN_S:g} s")
            if channel.recv_exit_status():
                raise self.denied(said)
        finally:
            channel.close()

    def refused(self, exit_code: int, stderr: str) -> bool:
        """Whether it was sudo, not the command, that ended."""
        return self._user != "root" and exit_code in (1, 127) and "sudo: " in stderr[:200]

    def denied(self, stderr: str) -> Denied:
        """The error where sudo does not let us become root."""
        remedy = (
            f"give it `{self._user} ALL=(root) NOPASSWD: ALL` in /etc/sudoers.d, name its password in "
            "sudo_password_file under target.ssh, or log in as root"
            if self._file is None
            else f"correct {self._file}, or give the user `ALL=(root) ALL` in /etc/sudoers.d"
        )
        said = last_line(stderr) or "sudo gives no reason"
        return Denied(self._host, f"{self._user} may not become root: {said}", remedy)


def _password(file: Path) -> Secret:
    try:
        return Secret(file.read_text().rstrip("\n"))
    except OSError as error:
        raise BadInput(f"the sudo password cannot be read: {error.strerror}", file) from None
