"""Opens SSH connections: our own socket, a known host key, our keys and nothing else."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import paramiko

from inventory.models.ssh import Jump, Ssh
from inventory.printable import printable
from tasks.drivers import ssh_keys
from tasks.drivers.errors import HostUnreachable, LoginRefused
from tasks.drivers.ssh_host_keys import algorithms, known_of, refuse_unless_known

# A lost connection is told where it is next used; its thread's own line would stand beside a planned reboot.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

_KEEPALIVE_S = 5
_SILENT_MS = 20_000  # a host that acknowledges nothing for so long is gone

Dial = Callable[[Jump], Any]  # a socket to the machine, or a channel through another one


class _Pinning(paramiko.Transport):
    """Asks for exactly these host key algorithms: a host with several keys shows the one that is known."""

    host_key_algorithms: tuple[str, ...] = ()

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """See paramiko; there, certificates come last and cannot be left out."""
        return self.host_key_algorithms


def dial(peer: Jump, ssh: Ssh) -> socket.socket:
    """A TCP connection, straight. Raises HostUnreachable."""
    try:
        sock = socket.create_connection((str(peer.address), peer.port), timeout=ssh.connect_timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS)
    except OSError as error:
        raise unreachable(peer, said(error)) from None
    return sock


def connect(peer: Jump, ssh: Ssh, dialled: Dial) -> paramiko.Transport:
    """A connection that is logged in to the very machine that is declared.

    Raises BadInput (our key or the pinned one is unusable), HostUnreachable, HostKeyRefused, LoginRefused.
    """
    identity = ssh_keys.identity(ssh)
    known = known_of(peer, ssh)
    transport = _Pinning(dialled(peer))
    try:
        transport.banner_timeout = transport.auth_timeout = ssh.connect_timeout_s
        options = transport.get_security_options()
        # One pass for cipher and digest: half the time of the default for large programs.
        options.ciphers = tuple(sorted(options.ciphers, key=lambda name: "gcm" not in name))
        transport.host_key_algorithms = algorithms(known)
        transport.start_client(timeout=ssh.connect_timeout_s)
        refuse_unless_known(peer, transport.get_remote_server_key(), known)
        transport.set_keepalive(_KEEPALIVE_S)
        _log_in(transport, peer, ssh, identity)
    except paramiko.ssh_exception.IncompatiblePeer:
        transport.close()
        _explain_other_key_type(peer, ssh, dialled)
        raise unreachable(peer, "no key exchange or cipher in common") from None
    except (OSError, EOFError, paramiko.SSHException) as error:
        transport.close()
        raise unreachable(peer, said(error)) from None
    except BaseException:
        transport.close()
        raise
    return transport


def _log_in(transport: paramiko.Transport, peer: Jump, ssh: Ssh, identity: paramiko.PKey | None) -> None:
    agent = paramiko.Agent() if ssh.agent else None
    try:
        keys: tuple[paramiko.PKey, ...] = () if identity is None else (identity,)
        if agent is not None:
            keys += ssh_keys.from_agent(agent)
        for key in keys:
            try:
                transport.auth_publickey(peer.user, key)
            except (paramiko.AuthenticationException, paramiko.BadAuthenticationType):
                continue
            if transport.is_authenticated():
                return
    finally:
        if agent is not None:
            agent.close()
    tried = " or ".join(filter(None, (str(ssh.identity_file or ""), "a key of the agent" * ssh.agent)))
    raise LoginRefused(
        peer.name,
        f"{peer.address} does not take {'the key ' * (identity is not None)}{tried} for {peer.user}",
        f"put its public half into ~{peer.user}/.ssh/authorized_keys on the host",
    )


def _explain_other_key_type(peer: Jump, ssh: Ssh, dialled: Dial) -> None:
    """Raises HostKeyRefused where the host has keys, but none of a known kind."""
    try:
        transport = paramiko.Transport(dialled(peer))
        try:
            transport.start_client(timeout=ssh.connect_timeout_s)
            refuse_unless_known(peer, transport.get_remote_server_key(), known_of(peer, ssh))
        finally:
            transport.close()
    except (OSError, EOFError, paramiko.SSHException):
        return  # the caller says that there is nothing in common


def unreachable(peer: Jump, why: str) -> HostUnreachable:
    """The error of a machine that cannot be reached."""
    return HostUnreachable(
        peer.name,
        f"no SSH at {peer.address}:{peer.port}: {why}",
        "check that the host is up and that a firewall lets this machine in",
    )


def said(error: BaseException) -> str:
    """What an error of the network or of paramiko says, in few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(str(error), 200) or type(error).__name__
