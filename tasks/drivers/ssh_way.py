"""The way to the hosts: straight, or through jump hosts, whose connections all hosts share."""

from __future__ import annotations

import functools
import socket
import threading

import paramiko

from inventory.models.cluster import Node
from inventory.models.ssh import Jump, Ssh
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ssh_connection import connect, dial, said, unreachable


class SshWay:
    """One for a site. May be used by several threads; a jump host that was lost is logged in to anew."""

    def __init__(self, ssh: Ssh) -> None:
        self.ssh = ssh
        self._hops: list[paramiko.Transport] = []
        self._opening = threading.Lock()

    def connect(self, node: Node) -> paramiko.Transport:
        """A connection to the node, logged in. Raises as `ssh_connection.connect`, naming who failed."""
        return connect(self._peer(node), self.ssh, self._dial)

    def answers(self, node: Node) -> bool:
        """Whether anything accepts a connection at the node's address; whose it is, only `connect` says.

        Raises HostUnreachable where a jump host does not answer: then nothing is known of the node.
        """
        try:
            self._dial(self._peer(node)).close()
        except HostUnreachable as error:
            if error.part != node.name:
                raise
            return False
        return True

    def close(self) -> None:
        """End the connections to the jump hosts, the farthest first."""
        with self._opening:
            self._close()

    def _peer(self, node: Node) -> Jump:
        return Jump(
            name=node.name,
            address=node.address,
            port=self.ssh.port,
            user=self.ssh.user,
            host_key=node.host_key,
        )

    def _close(self) -> None:
        while self._hops:
            self._hops.pop().close()

    def _dial(self, peer: Jump) -> socket.socket | paramiko.Channel:
        if not self.ssh.jump:
            return dial(peer, self.ssh)
        with self._opening:
            if not self._hops or not all(hop.is_active() for hop in self._hops):
                self._open()
            last = self._hops[-1]
        return _through(last, self.ssh.jump[-1], self.ssh, peer)

    def _open(self) -> None:
        self._close()
        try:
            for index, jump in enumerate(self.ssh.jump):
                if index == 0:
                    self._hops.append(connect(jump, self.ssh, lambda peer: dial(peer, self.ssh)))
                else:
                    before = functools.partial(_through, self._hops[-1], self.ssh.jump[index - 1], self.ssh)
                    self._hops.append(connect(jump, self.ssh, before))
        except BaseException:
            self._close()
            raise


def _through(hop: paramiko.Transport, jump: Jump, ssh: Ssh, peer: Jump) -> paramiko.Channel:
    try:
        return hop.open_channel(
            "direct-tcpip",
            (str(peer.address), peer.port),
            ("127.0.0.1", 0),  # where the connection comes from: sshd only writes it into its log
            timeout=ssh.connect_timeout_s,
        )
    except paramiko.ChannelException as error:
        if error.code == 1:  # administratively prohibited, RFC 4254 section 5.1
            raise HostUnreachable(
                jump.name,
                f"does not forward to {peer.address}:{peer.port}",
                "let it: AllowTcpForwarding and PermitOpen in its sshd_config",
            ) from None
        raise unreachable(peer, f"{jump.name} cannot reach it: {error.text}") from None
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise unreachable(peer, f"through {jump.name}: {said(error)}") from None
