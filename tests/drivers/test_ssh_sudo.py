"""Users who become root by sudo, on a real OpenSSH server whose /etc is an overlay of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inventory.models.command import Command, Script
from tasks.drivers import ssh_lock
from tasks.drivers.errors import Denied
from tasks.drivers.ssh import SshHost
from tests.drivers import sshd as servers
from tests.drivers.sshd import Sshd

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="namespaces and sshd need root"),
    pytest.mark.skipif(not shutil.which("sudo"), reason="sudo is not installed"),
]

PASSWORD = "correct horse 'battery' $(staple)"
USERS = {"free": "free ALL=(root) NOPASSWD: ALL", "asked": "asked ALL=(root) ALL", "nobody-special": ""}


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    # sshd reads authorized_keys as the user, and pytest closes its own folders to others.
    with tempfile.TemporaryDirectory(prefix="sshd-") as folder:
        Path(folder).chmod(0o755)
        with _with_users(Path(folder)) as server:
            yield server


@contextmanager
def _with_users(folder: Path) -> Iterator[Sshd]:
    etc = folder / "etc"
    for name in ("upper", "work"):
        (etc / name).mkdir(parents=True)
    argv = ["openssl", "passwd", "-6", "-stdin"]
    digest = subprocess.run(argv, input=PASSWORD, capture_output=True, text=True, check=True).stdout.strip()
    lines = []
    for number, (user, rule) in enumerate(USERS.items(), 4100):
        lines += [
            f"echo '{user}:x:{number}:{number}::/tmp:/bin/sh' >> /etc/passwd",
            f"echo '{user}:{digest}:19000:0:99999:7:::' >> /etc/shadow",
            f"echo '{rule}' >> /etc/sudoers.d/test",
        ]
    script = folder / "users.sh"
    script.write_text("\n".join(["set -e", *lines, "chmod 0440 /etc/sudoers.d/test"]))
    overlay = f"mount -t overlay overlay -o lowerdir=/etc,upperdir={etc}/upper,workdir={etc}/work /etc"
    with servers.running(folder, inside=f"{overlay}; sh {script}") as server:
        (folder / "authorized_keys").chmod(0o644)
        yield server


def host(sshd: Sshd, user: str, password: Path | None = None) -> SshHost:
    return SshHost(sshd.node(), sshd.ssh(user=user, sudo_password_file=password))


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    return file


def test_without_a_password(sshd: Sshd, tmp_path: Path) -> None:
    with host(sshd, "free") as free:
        assert free.check(Command.of("id", "-u")) == "0\n"
        free.put_file(str(tmp_path / "f"), b"content")
    assert (tmp_path / "f").read_bytes() == b"content"


@pytest.mark.parametrize("user", ["asked", "free"])
def test_with_a_password_whether_sudo_wants_it_or_not(sshd: Sshd, password: Path, user: str) -> None:
    with host(sshd, user, password) as asked:
        content = os.urandom(300_000)
        assert asked.check(Command.of("id", "-u")) == "0\n"
        digest = asked.check(Command.of("sha256sum"), stdin=content)
        plain = subprocess.run(["sha256sum"], input=content, capture_output=True, check=True).stdout
        assert digest == plain.decode(), "the input is the command's alone, and whole"
        assert asked.check(Command.of("cat")) == ""
        assert asked.run(Script.of("exit 7")).exit_code == 7


def test_the_password_is_on_no_command_line(sshd: Sshd, password: Path) -> None:
    with host(sshd, "asked", password) as asked:
        seen = asked.check(
            Script.of("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '")
        )
    assert "sudo -k -S" in seen
    assert "battery" not in seen


def test_a_wrong_password_is_tried_once_and_named(sshd: Sshd, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong-words")
    with pytest.raises(Denied) as caught:
        host(sshd, "asked", wrong).run(Command.of("cat"), stdin=PASSWORD.encode())
    message = str(caught.value)
    assert message.startswith("oslo-1: asked may not become root: sudo: ")
    assert "1 incorrect password attempt" in message
    assert f"correct {wrong}, or give the user" in message
    assert "wrong-words" not in message


def test_a_password_that_is_wanted_and_not_named(sshd: Sshd) -> None:
    with pytest.raises(
        Denied, match=r"asked may not become root: sudo: a password is required; give it .*NOPASS"
    ):
        host(sshd, "asked").run(Command.of("true"))


def test_a_user_who_may_not(sshd: Sshd, password: Path) -> None:
    with pytest.raises(Denied, match="nobody-special may not become root"):
        host(sshd, "nobody-special", password).run(Command.of("true"))


def test_the_lock_is_taken_as_root(
    sshd: Sshd, password: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ssh_lock, "PATH", str(tmp_path / "lock"))
    with host(sshd, "asked", password) as asked:
        asked.lock("kari on lead-1")
        with pytest.raises(Exception, match="is being changed by kari on lead-1"), host(sshd, "free") as free:
            free.lock("ola on lead-2")
