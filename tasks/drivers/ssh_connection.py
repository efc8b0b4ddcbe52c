"""Opens SSH connections: our own socket, a pinned host key, our key and nothing else."""

from __future__ import annotations

import socket

import paramiko

from inventory.models.cluster import Node, Ssh
from tasks.drivers.errors import HostUnreachable, LoginRefused
from tasks.drivers.ssh_keys import client_key, pinned_keys, refuse_unless_pinned

_KEEPALIVE_S = 5
_SILENT_MS = 20_000  # a host that acknowledges nothing for so long is gone


def connect(node: Node, ssh: Ssh) -> paramiko.Transport:
    """A connection that is logged in to the very host that is declared.

    Raises BadInput (our key or the pinned one is unusable), HostUnreachable, HostKeyRefused, LoginRefused.
    """
    key = client_key(ssh.identity_file)
    pinned = pinned_keys(node, ssh)
    address = (str(node.address), ssh.port)
    wait_s = ssh.connect_timeout_s
    try:
        sock = socket.create_connection(address, timeout=wait_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS)
    except OSError as error:
        raise _unreachable(node, ssh, said(error)) from None
    transport = paramiko.Transport(sock)
    try:
        transport.banner_timeout = transport.auth_timeout = wait_s
        options = transport.get_security_options()
        # One pass for cipher and digest: half the time of the default for large programs.
        options.ciphers = tuple(sorted(options.ciphers, key=lambda name: "gcm" not in name))
        wanted = _host_key_algorithms(pinned)
        options.key_types = tuple(kind for kind in options.key_types if kind in wanted) or tuple(wanted)
        transport.start_client(timeout=wait_s)
        refuse_unless_pinned(node, transport.get_remote_server_key(), pinned)
        transport.set_keepalive(_KEEPALIVE_S)
        transport.auth_publickey(ssh.user, key)
    except paramiko.ssh_exception.IncompatiblePeer:
        transport.close()
        _explain_other_key_type(node, ssh, pinned)
        raise _unreachable(node, ssh, "no key exchange or cipher in common") from None
    except (paramiko.AuthenticationException, paramiko.BadAuthenticationType):
        transport.close()
        raise LoginRefused(
            node.name,
            f"{address[0]} does not take the key {ssh.identity_file} for {ssh.user}",
            f"put its public half into ~{ssh.user}/.ssh/authorized_keys on the host",
        ) from None
    except (OSError, EOFError, paramiko.SSHException) as error:
        transport.close()
        raise _unreachable(node, ssh, said(error)) from None
    except BaseException:
        transport.close()
        raise
    return transport


def _explain_other_key_type(node: Node, ssh: Ssh, pinned: tuple[paramiko.PKey, ...]) -> None:
    """Raises HostKeyRefused where the host has keys, but none of a pinned kind."""
    try:
        with socket.create_connection((str(node.address), ssh.port), timeout=ssh.connect_timeout_s) as sock:
            transport = paramiko.Transport(sock)
            try:
                transport.start_client(timeout=ssh.connect_timeout_s)
                refuse_unless_pinned(node, transport.get_remote_server_key(), pinned)
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException):
        return  # the caller says that there is nothing in common


def _unreachable(node: Node, ssh: Ssh, why: str) -> HostUnreachable:
    return HostUnreachable(
        node.name,
        f"no SSH at {node.address}:{ssh.port}: {why}",
        "check that the host is up and that a firewall lets this machine in",
    )


def _host_key_algorithms(pinned: tuple[paramiko.PKey, ...]) -> list[str]:
    wanted: list[str] = []
    for key in pinned:
        kind = key.get_name()
        wanted += ["rsa-sha2-512", "rsa-sha2-256"] if kind == "ssh-rsa" else [kind]
    return wanted


def said(error: BaseException) -> str:
    """What an error of the network or of paramiko says, in few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
