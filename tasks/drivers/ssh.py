"""A host over SSH: `ports.Host` on paramiko.

Host keys are pinned and never accepted on sight; only a key logs us in. A command runs under `timeout` on the
host, in a process group of its own, so that a time-out really ends it even when the connection is gone.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import paramiko

from inventory.errors import BadInput
from inventory.models.cluster import Node
from inventory.models.command import Command, Shellable
from inventory.models.ssh import Ssh
from inventory.printable import last_line, printable
from tasks.drivers.compressed import compressed
from tasks.drivers.errors import CommandFailed, HostUnreachable
from tasks.drivers.ports import Output
from tasks.drivers.put import put, put_packed
from tasks.drivers.ssh_echo import echo_s
from tasks.drivers.ssh_link import SshLink
from tasks.drivers.ssh_way import SshWay

OUTPUT_LIMIT_BYTES = 8 << 20
_KILL_AFTER_S = 2  # between SIGTERM and SIGKILL
_GRACE_S = 5.0  # how long we wait past the host's own time-out before the connection counts as dead
_LINGER_S = 1.0  # a child that keeps the output open does not hold us longer than this after the exit
_CHUNK = 1 << 17
_LOOK_AGAIN_S = 0.05  # for an end that came without one of its output
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TIMED_OUT = (124, 137)  # of timeout(1): ended by SIGTERM, by SIGKILL


class SshHost:
    """A declared node, reached when first used; one connection, made anew where it was lost between commands.

    Commands of several threads may run at once over the one connection.
    """

    def __init__(self, node: Node, ssh: Ssh, way: SshWay | None = None) -> None:
        self._node = node
        self._ssh = ssh
        self._link = SshLink(node, ssh, way)

    @property
    def name(self) -> str:
        """The declared name."""
        return self._node.name

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """See `ports.Host.run`. Raises BadInput as well, where our key file or the pinned key is unusable."""
        with self._link.session() as channel:
            return self._converse(channel, command, iter((stdin,)), timeout_s)

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        """See `ports.Host.check`."""
        return self._stdout(command, self.run(command, stdin=stdin, timeout_s=timeout_s))

    def echo_s(self, nonces: Sequence[bytes]) -> list[float]:
        """See `ports.Echoing.echo_s`."""
        with self._link.session() as channel:
            return echo_s(self.name, channel, nonces)

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """See `ports.Host.put_file`; missing folders are made with mode 0755."""
        self.check(put(path, content, mode), stdin=content)

    def put_program(self, path: str, source: Path, sha256: str, *, mode: int = 0o755) -> None:
        """See `ports.Host.put_program`: sent compressed, unpacked and verified on the host."""
        command = put_packed(path, sha256, mode)
        try:
            packed = compressed(source, sha256).open("rb")
        except OSError as error:
            raise BadInput(f"the program cannot be read: {error.strerror}", source) from None
        with packed, self._link.session() as channel:
            chunks = iter(lambda: packed.read(_CHUNK), b"")
            self._stdout(command, self._converse(channel, command, chunks, 900.0))

    def lock(self, holder: str) -> None:
        """See `ports.Host.lock`."""
        self._link.lock(holder)

    def unlock(self) -> None:
        """Let others change the host again."""
        self._link.unlock()

    def close(self) -> None:
        """End the connection, and with it the lock."""
        self._link.close()

    def __enter__(self) -> SshHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stdout(self, command: Shellable, output: Output) -> str:
        if not output.ok:
            reason = last_line(output.stderr) or last_line(output.stdout) or "no message"
            raise CommandFailed(self.name, f"{_shown(command)} ended with {output.exit_code}: {reason}")
        return output.stdout

    # -- one command -----------------------------------------------------------------------------------

    def _converse(
        self, channel: paramiko.Channel, command: Shellable, stdin: Iterator[bytes], timeout_s: float
    ) -> Output:
        started = time.monotonic()
        channel.settimeout(timeout_s + _KILL_AFTER_S + _GRACE_S)
        channel.exec_command(self._wrapped(command, timeout_s))
        fed = itertools.chain((self._link.sudo.preamble(),), stdin)
        feeder = threading.Thread(target=_feed, args=(channel, fed), daemon=True)
        feeder.start()
        out, err = bytearray(), bytearray()
        try:
            exit_code = self._listen(channel, command, out, err, timeout_s)
        finally:
            channel.close()  # ends a feeder whose program stopped reading
            feeder.join(_GRACE_S)
        seconds = time.monotonic() - started
        if exit_code in _TIMED_OUT and seconds >= timeout_s:
            raise self._out_of_time(command, timeout_s)
        if exit_code == -1:
            raise HostUnreachable(self.name, "the connection was lost while a command ran")
        stderr = err.decode("utf-8", "replace")
        if self._link.sudo.refused(exit_code, stderr):
            raise self._link.sudo.denied(stderr)
        return Output(exit_code, out.decode("utf-8", "replace"), stderr, seconds)

    def _listen(
        self,
        channel: paramiko.Channel,
        command: Shellable,
        out: bytearray,
        err: bytearray,
        timeout_s: float,
    ) -> int:
        """Collect the output until the program ends; its exit code."""
        started = time.monotonic()
        deadline = started + timeout_s + _KILL_AFTER_S + _GRACE_S
        exited: float | None = None
        arrived = threading.Event()  # looking again and again would take the time of all other hosts' threads
        channel.in_buffer.set_event(arrived)
        channel.in_stderr_buffer.set_event(arrived)
        while True:
            # Looked at before the last read: what arrived before the end is read for certain.
            ended = channel.exit_status_ready() and (
                channel.eof_received or (exited is not None and time.monotonic() - exited > _LINGER_S)
            )
            busy = self._receive(channel, command, out, err)
            if ended:
                return channel.recv_exit_status()
            if busy:
                continue
            if channel.exit_status_ready():
                exited = exited or time.monotonic()
                time.sleep(0.001)
            elif channel.closed:
                raise HostUnreachable(self.name, "the connection was lost while a command ran")
            elif time.monotonic() > deadline:
                raise self._out_of_time(command, timeout_s)
            elif channel.eof_received:
                channel.status_event.wait(_LOOK_AGAIN_S)
            else:
                arrived.wait(_LOOK_AGAIN_S)

    def _receive(self, channel: paramiko.Channel, command: Shellable, out: bytearray, err: bytearray) -> bool:
        """Move what has arrived into `out` and `err`; whether there was any. Raises CommandFailed."""
        busy = False
        for ready, receive, into in (
            (channel.recv_ready, channel.recv, out),
            (channel.recv_stderr_ready, channel.recv_stderr, err),
        ):
            while ready():
                into += receive(_CHUNK)
                busy = True
                if len(into) > OUTPUT_LIMIT_BYTES:
                    channel.close()  # the program ends at its next write
                    raise CommandFailed(
                        self.name,
                        f"{_shown(command)} printed more than {OUTPUT_LIMIT_BYTES >> 20} MiB",
                    )
        return busy

    def _wrapped(self, command: Shellable, timeout_s: float) -> str:
        limit = ("timeout", "-k", str(_KILL_AFTER_S), f"{timeout_s:.3f}")
        limited = Command.of("env", _PATH, "LC_ALL=C.UTF-8", *limit, "sh", "-c", command.render())
        return self._link.sudo.wrapped(limited).render()

    def _out_of_time(self, command: Shellable, timeout_s: float) -> CommandFailed:
        return CommandFailed(
            self.name, f"{_shown(command)} did not end within {timeout_s:g} s and was stopped"
        )


def _feed(channel: paramiko.Channel, chunks: Iterator[bytes]) -> None:
    # A program may end without reading its input; its exit code tells the rest.
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        for chunk in chunks:
            for start in range(0, len(chunk), _CHUNK):  # sendall copies what is left after every packet
                channel.sendall(chunk[start : start + _CHUNK])
        channel.shutdown_write()


def _shown(command: Shellable) -> str:
    """The command on one line; of a long program its beginning."""
    return f"`{printable(' '.join(str(command).split()), 100)}`"
