"""One host's connection and its lock: made when first used, and anew where it was lost between commands."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import paramiko

from inventory.models.cluster import Node
from inventory.models.ssh import Ssh
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ssh_connection import said
from tasks.drivers.ssh_lock import HostLock
from tasks.drivers.ssh_sudo import Sudo
from tasks.drivers.ssh_way import SshWay

_LOST = (OSError, EOFError, paramiko.SSHException)


class SshLink:
    """Sessions on one host. May be used by several threads."""

    def __init__(self, node: Node, ssh: Ssh, way: SshWay | None) -> None:
        self._node, self._ssh = node, ssh
        self._own_way = way is None
        self._way = way or SshWay(ssh)
        self._holder = ""
        self._lock: HostLock | None = None
        self._opening = threading.Lock()
        self.sudo = Sudo(node.name, ssh)
        self.transport: paramiko.Transport | None = None
        self._silent: HostUnreachable | None = None
        self._silent_until_s = 0.0

    def lock(self, holder: str) -> None:
        """Hold the host's lock from now on; after a lost connection it is taken anew before anything else."""
        with self._opening:
            self._holder = holder
            try:
                self._ready().close()
            except BaseException:
                self._holder = ""
                raise

    def unlock(self) -> None:
        """Let go of the host's lock; the connection stays."""
        with self._opening:
            self._holder = ""
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    @contextlib.contextmanager
    def session(self) -> Iterator[paramiko.Channel]:
        """A session for one command. Raises HostUnreachable, also for what paramiko raises inside."""
        with self._opening:
            channel = self._ready()
        try:
            yield channel
        except _LOST as error:
            raise HostUnreachable(
                self._node.name, f"the connection to {self._node.address} was lost: {said(error)}"
            ) from None
        finally:
            channel.close()

    def close(self) -> None:
        """Let go of the lock and end the connection."""
        with self._opening:
            self._holder = ""
            self._disconnect()
            if self._own_way:
                self._way.close()

    def _ready(self) -> paramiko.Channel:
        """An open session over a connection that lives, with the lock held where it is wanted."""
        if self.transport is not None and self.transport.is_active():
            with contextlib.suppress(*_LOST):  # it died without a word: connect once more
                return self._open(self.transport)
        self._disconnect()
        self.transport = self._connect()
        try:
            self.sudo.prove(self.transport)
            return self._open(self.transport)
        except _LOST as error:
            raise HostUnreachable(self._node.name, f"no session: {said(error)}") from None

    def _connect(self) -> paramiko.Transport:
        """Logged in. A host that did not answer is not waited for again until as much time has passed."""
        if self._silent is not None and time.monotonic() < self._silent_until_s:
            raise HostUnreachable(self._silent.part, self._silent.what, self._silent.remedy)
        started_s = time.monotonic()
        try:
            return self._way.connect(self._node)
        except HostUnreachable as error:
            ended_s = time.monotonic()
            self._silent, self._silent_until_s = error, ended_s + (ended_s - started_s)
            raise

    def _open(self, transport: paramiko.Transport) -> paramiko.Channel:
        within_s = self._ssh.connect_timeout_s
        if self._holder and not (self._lock and self._lock.held()):
            session = transport.open_session(timeout=within_s)
            self._lock = HostLock.take(self._node.name, session, self.sudo, self._holder)
        return transport.open_session(timeout=within_s)

    def _disconnect(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        if self.transport is not None:
            self.transport.close()
            self.transport = None
