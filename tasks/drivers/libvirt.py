"""A KVM host as libvirt shows it: `ports.Host` whose commands are virsh's, run here over `qemu+ssh`.

virsh comes with the distribution, like its libvirt; the Python binding would have to be compiled on every
lead's machine. OpenSSH carries it, told to take our key and the pinned host key only; one connection
serves all commands.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from inventory.models.command import Command, Shellable
from inventory.models.machines import KvmHost
from inventory.models.ssh import Jump, Ssh
from inventory.printable import last_line, printable
from tasks.drivers.errors import (
    CommandFailed,
    Denied,
    HostKeyRefused,
    HostUnreachable,
    LoginRefused,
    OutsideError,
    ServiceFailed,
)
from tasks.drivers.ports import Output
from tasks.drivers.ssh_config import config, known_hosts
from tasks.drivers.ssh_host_keys import known_of
from tasks.drivers.ssh_keys import identity

OUTPUT_LIMIT_BYTES = 8 << 20
_TRIAL_S = 30.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What virsh and ssh say where there is no connection, and what it means.
_SAID: tuple[tuple[str, type[OutsideError], str], ...] = (
    ("host key verification failed", HostKeyRefused, "read its key on the console; correct host_key"),
    ("no matching host key type", HostKeyRefused, "read its key on the console; correct host_key"),
    ("permission denied", LoginRefused, "put the public key into authorized_keys on the KVM host"),
    ("authentication unavailable", Denied, "make the user a member of the group libvirt on the KVM host"),
    ("access denied", Denied, "make the user a member of the group libvirt on the KVM host"),
    ("libvirt-sock", ServiceFailed, "on the KVM host: systemctl start libvirtd"),
    ("not found", ServiceFailed, "on the KVM host: apt-get install libvirt-daemon-system"),
)


class LibvirtHost:
    """A declared KVM host. Nothing is opened before the first command."""

    def __init__(self, host: KvmHost, ssh: Ssh) -> None:
        self._host = host
        self._ssh = ssh
        self._folder: Path | None = None

    @property
    def name(self) -> str:
        """The declared name."""
        return self._host.name

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """See `ports.Host.run`: the command runs on this machine, its virsh on the KVM host.

        Raises as well Denied (no right to libvirt there), ServiceFailed (no libvirt there, no virsh here).
        """
        if shutil.which("virsh", path=_PATH) is None:
            raise ServiceFailed("virsh", "is not on this machine", "apt-get install libvirt-clients")
        started = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = subprocess.Popen(
                ["sh", "-c", command.render()],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                env=self._environment(),
                start_new_session=True,
            )
            try:
                child.communicate(stdin, timeout=timeout_s)
            except subprocess.TimeoutExpired:
                raise CommandFailed(
                    self.name, f"{_shown(command)} did not end within {timeout_s:g} s and was stopped"
                ) from None
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
            for file in (out, err):
                if os.fstat(file.fileno()).st_size > OUTPUT_LIMIT_BYTES:
                    raise CommandFailed(
                        self.name, f"{_shown(command)} printed more than {OUTPUT_LIMIT_BYTES >> 20} MiB"
                    )
                file.seek(0)
            output = Output(
                child.returncode,
                out.read().decode("utf-8", "replace"),
                err.read().decode("utf-8", "replace"),
                time.monotonic() - started,
            )
        if not output.ok:
            self._refuse_unconnected(output.stderr)
        return output

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        """See `ports.Host.check`."""
        output = self.run(command, stdin=stdin, timeout_s=timeout_s)
        if not output.ok:
            reason = last_line(output.stderr) or last_line(output.stdout) or "no message"
            raise CommandFailed(self.name, f"{_shown(command)} ended with {output.exit_code}: {reason}")
        return output.stdout

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:  # noqa: ARG002 - the port's
        """Raises Denied: libvirt keeps volumes, not files."""
        raise Denied(self.name, f"{path} is not written: a KVM host is reached through libvirt only")

    def put_program(self, path: str, source: Path, sha256: str, *, mode: int = 0o755) -> None:  # noqa: ARG002
        """Raises Denied, as `put_file`."""
        raise Denied(self.name, f"{path} is not written: a KVM host is reached through libvirt only")

    def lock(self, holder: str) -> None:
        """Nothing: libvirt itself refuses a second machine or volume of a name, whoever makes it."""

    def close(self) -> None:
        """End the connection."""
        if self._folder is not None:
            argv = ["ssh", "-F", str(self._folder / "config"), "-O", "exit", str(self._host.address)]
            # A connection that is not there any more has nothing to end.
            subprocess.run(argv, capture_output=True, check=False, timeout=10)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _environment(self) -> dict[str, str]:
        """The small environment of a command; virsh finds the host in it."""
        if self._folder is None:
            self._folder = self._prepared()
        parameters = f"command={quote(str(self._folder / 'ssh'), safe='')}&no_tty=1"
        address = f"{quote(self._ssh.user)}@{self._host.address}:{self._ssh.port}"
        return {
            **({"SSH_AUTH_SOCK": agent} if (agent := os.environ.get("SSH_AUTH_SOCK")) else {}),
            "PATH": _PATH,
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._folder),
            "LIBVIRT_DEFAULT_URI": f"qemu+ssh://{address}/system?{parameters}",
        }

    def _prepared(self) -> Path:
        """A folder of our own: ssh's configuration, the pinned keys, the program that libvirt starts."""
        host, ssh = self._host, self._ssh
        identity(ssh)  # says what is wrong with it, as ssh would not
        peer = Jump(
            name=host.name, address=host.address, port=ssh.port, user=ssh.user, host_key=host.host_key
        )
        known = {each: known_of(each, ssh) for each in (peer, *ssh.jump)}
        folder = Path(tempfile.mkdtemp(prefix="shx-kvm-"))
        (folder / "config").write_text(config(peer, ssh, folder))
        (folder / "known_hosts").write_text(known_hosts(known))
        program = folder / "ssh"
        start = Command.of("ssh", "-F", str(folder / "config")).render()
        program.write_text(f'#!/bin/sh\nexec {start} "$@"\n')
        program.chmod(0o700)
        return folder

    def _refuse_unconnected(self, stderr: str) -> None:
        """Raises where the command failed for want of a connection."""
        if "failed to connect to the hypervisor" not in stderr:
            return
        for heard in (stderr, self._heard()):  # libvirt passes on 1 KiB of what ssh said, or nothing
            for text, kind, remedy in _SAID:
                if text in heard.lower():
                    raise kind(self.name, self._told(heard), remedy)
        remedy = "check that the host is up and that a firewall lets this machine in"
        raise HostUnreachable(self.name, self._told(stderr), remedy)

    def _heard(self) -> str:
        """What ssh itself says of the way to the host."""
        if self._folder is None:
            return ""
        argv = ["ssh", "-F", str(self._folder / "config"), str(self._host.address), "true"]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_TRIAL_S)
        except subprocess.TimeoutExpired:
            return ""
        return done.stderr

    def _told(self, heard: str) -> str:
        return f"no libvirt at {self._host.address}: {printable(' '.join(heard.split()), 300)}"


def _shown(command: Shellable) -> str:
    return f"`{printable(' '.join(str(command).split()), 100)}`"
