"""The SSH driver against a real OpenSSH server."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import paramiko
import pytest

from inventory.errors import BadInput
from inventory.models.command import Command, Script
from inventory.models.secret import Secret
from tasks.drivers.errors import CommandFailed, HostKeyRefused, HostUnreachable, LoginRefused
from tasks.drivers.ssh import SshHost
from tasks.drivers.ssh_echo import echo_s
from tests.drivers import sshd as servers
from tests.drivers.sshd import Sshd

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="sshd must log in as root on its loopback port")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with servers.running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def host(sshd: Sshd) -> Iterator[SshHost]:
    with SshHost(sshd.node(), sshd.ssh()) as opened:
        yield opened


def test_runs_a_command_and_keeps_its_streams_apart(host: SshHost) -> None:
    output = host.run(Script.of("echo out; echo err >&2; exit 7"))
    assert (output.exit_code, output.stdout, output.stderr) == (7, "out\n", "err\n")
    assert host.name == "oslo-1"


@pytest.mark.parametrize("word", ["a b", "$(id)", "'; id; '", "`id`", "\n", "å æ ø", "--", "*", '"'])
def test_no_word_becomes_code(host: SshHost, word: str) -> None:
    assert host.check(Command.of("printf", "%s", word)) == word


def test_stdin_arrives_whole(host: SshHost) -> None:
    content = os.urandom(5_000_000)
    assert (
        host.check(Command.of("sha256sum"), stdin=content).split()[0] == hashlib.sha256(content).hexdigest()
    )


def test_a_program_that_does_not_read_its_stdin_still_ends(host: SshHost) -> None:
    assert host.run(Command.of("true"), stdin=b"x" * 10_000_000).ok


def test_check_raises_with_the_last_line_and_without_escape_codes_or_secrets(host: SshHost) -> None:
    with pytest.raises(CommandFailed) as caught:
        host.check(Script.of('printf "first\\n\\033[31mno space\\033[0m\\n" >&2; exit 3', Secret("hunter2")))
    message = str(caught.value)
    assert message.endswith("ended with 3: no space")
    assert "\x1b" not in message and "hunter2" not in message


def test_a_time_out_stops_the_whole_process_group(host: SshHost, tmp_path: Path) -> None:
    marker = tmp_path / "alive"
    started = time.monotonic()
    with pytest.raises(CommandFailed, match=r"did not end within 0\.5 s and was stopped"):
        host.run(Script.of('(sleep 3; touch "$1") & sleep 60', str(marker)), timeout_s=0.5)
    assert time.monotonic() - started < 5
    time.sleep(3.2)
    assert not marker.exists()


def test_a_command_that_itself_says_124_is_not_a_time_out(host: SshHost) -> None:
    assert host.run(Script.of("exit 124"), timeout_s=30).exit_code == 124


def test_output_is_bounded(host: SshHost) -> None:
    with pytest.raises(CommandFailed, match="printed more than 8 MiB"):
        host.run(Command.of("yes"), timeout_s=30)
    assert host.check(Command.of("echo", "still there")) == "still there\n"


def test_a_child_that_keeps_the_output_open_does_not_hold_us(host: SshHost) -> None:
    started = time.monotonic()
    assert host.run(Script.of("sleep 20 & echo $!"), timeout_s=30).ok
    assert time.monotonic() - started < 5


def test_put_file_sets_content_and_mode_and_leaves_nothing_beside_it(host: SshHost, tmp_path: Path) -> None:
    path = tmp_path / "a b" / "key"
    host.put_file(str(path), b"one", mode=0o600)
    host.put_file(str(path), b"two\x00\xff", mode=0o640)
    assert path.read_bytes() == b"two\x00\xff"
    assert path.stat().st_mode & 0o7777 == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_put_program_arrives_verified_and_is_compressed_once(host: SshHost, tmp_path: Path) -> None:
    source = tmp_path / "program"
    source.write_bytes(os.urandom(3_000_000) + bytes(9_000_000))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    host.put_program(str(tmp_path / "bin" / "p"), source, digest)
    assert (tmp_path / "bin" / "p").read_bytes() == source.read_bytes()
    assert (tmp_path / "bin" / "p").stat().st_mode & 0o7777 == 0o755
    packed = tmp_path / f".program.{digest[:16]}.gz"
    before = packed.stat().st_mtime_ns
    host.put_program(str(tmp_path / "bin" / "q"), source, digest)
    assert packed.stat().st_mtime_ns == before


def test_a_wrong_digest_is_refused_and_the_old_program_stays(host: SshHost, tmp_path: Path) -> None:
    source, target = tmp_path / "new", tmp_path / "bin" / "p"
    source.write_bytes(b"new")
    host.put_file(str(target), b"old")
    with pytest.raises(CommandFailed, match="the digest differs on arrival"):
        host.put_program(str(target), source, hashlib.sha256(b"other").hexdigest())
    assert target.read_bytes() == b"old"
    assert [entry.name for entry in target.parent.iterdir()] == ["p"]


def test_several_threads_share_a_connection(host: SshHost) -> None:
    said: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: said.append(host.check(Command.of("echo", n)))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [f"{n}\n" for n in range(8)]


def test_a_lost_connection_is_made_anew(host: SshHost) -> None:
    host.check(Command.of("true"))
    host._link.transport.close()  # type: ignore[union-attr]  # as a restarted sshd does
    assert host.check(Command.of("echo", "again")) == "again\n"


def test_a_connection_lost_while_a_command_runs_is_named(host: SshHost) -> None:
    host.check(Command.of("true"))
    threading.Timer(0.5, lambda: host._link.transport.close()).start()  # type: ignore[union-attr]  # pulled plug
    with pytest.raises(HostUnreachable, match="oslo-1: the connection was lost while a command ran"):
        host.run(Command.of("sleep", 20), timeout_s=30)


def test_an_ecdsa_key_logs_in(sshd: Sshd) -> None:
    with SshHost(sshd.node(), sshd.ssh("ecdsa")) as host:
        assert host.run(Command.of("true")).ok


def test_a_wrong_host_key_is_refused_with_both_fingerprints(sshd: Sshd) -> None:
    host = SshHost(sshd.node(sshd.public("other")), sshd.ssh())
    with pytest.raises(HostKeyRefused) as caught:
        host.run(Command.of("true"))
    keys = {
        name: subprocess.run(
            ["ssh-keygen", "-lf", str(sshd.folder / f"{name}.pub")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[1]
        for name in ("host", "other")
    }
    assert str(caught.value) == (
        f"oslo-1: 127.0.0.1 shows the host key ssh-ed25519 {keys['host']}, "
        f"pinned is ssh-ed25519 {keys['other']}; "
        "stop: somebody else may be answering. If the host was really reinstalled, read its new key on the "
        "console and change host_key in the site file"
    )


def test_a_pinned_key_of_another_kind_is_refused_too(sshd: Sshd) -> None:
    with pytest.raises(HostKeyRefused, match="shows the host key ssh-ed25519"):
        SshHost(sshd.node(sshd.public("ecdsa")), sshd.ssh()).run(Command.of("true"))


def test_an_unknown_host_is_never_accepted(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("")
    with pytest.raises(HostKeyRefused, match=r"oslo-1: no host key is pinned for 127\.0\.0\.1; read it on"):
        SshHost(sshd.node(""), sshd.ssh(known_hosts=known)).run(Command.of("true"))


def test_known_hosts_pins_by_address_and_port(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {sshd.public('host')}\n")
    with SshHost(sshd.node(""), sshd.ssh(known_hosts=known)) as host:
        assert host.run(Command.of("true")).ok
    known.write_text(f"[127.0.0.1]:{sshd.port} {sshd.public('other')}\n")
    with pytest.raises(HostKeyRefused, match="stop: somebody else may be answering"):
        SshHost(sshd.node(""), sshd.ssh(known_hosts=known)).run(Command.of("true"))


def test_a_wrong_client_key_is_named(sshd: Sshd) -> None:
    with pytest.raises(LoginRefused) as caught:
        SshHost(sshd.node(), sshd.ssh("stranger")).run(Command.of("true"))
    assert str(caught.value) == (
        f"oslo-1: 127.0.0.1 does not take the key {sshd.folder}/stranger for root; "
        "put its public half into ~root/.ssh/authorized_keys on the host"
    )


def test_an_unreachable_port_is_named(sshd: Sshd) -> None:
    closed = servers.free_port()
    with pytest.raises(HostUnreachable) as caught:
        SshHost(sshd.node(), sshd.ssh().model_copy(update={"port": closed})).run(Command.of("true"))
    assert str(caught.value) == (
        f"oslo-1: no SSH at 127.0.0.1:{closed}: Connection refused; "
        "check that the host is up and that a firewall lets this machine in"
    )


def test_a_port_that_answers_with_something_else_is_named(sshd: Sshd) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        ssh = sshd.ssh().model_copy(update={"port": silent.getsockname()[1], "connect_timeout_s": 0.5})
        with pytest.raises(HostUnreachable, match="oslo-1: no SSH at"):
            SshHost(sshd.node(), ssh).run(Command.of("true"))


def test_a_silent_host_is_not_waited_for_by_everyone_who_asks(sshd: Sshd) -> None:
    ssh = sshd.ssh()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dead = ssh.model_copy(update={"port": silent.getsockname()[1], "connect_timeout_s": 1.0})
        with SshHost(sshd.node(), dead) as host:
            started = time.monotonic()
            for _ in range(10):
                with pytest.raises(HostUnreachable, match="oslo-1: no SSH at"):
                    host.run(Command.of("true"))
            first_s = time.monotonic() - started
            assert 1 <= first_s < 2
            time.sleep(first_s)  # and then it is asked anew
            with pytest.raises(HostUnreachable):
                host.run(Command.of("true"))
            assert time.monotonic() - started >= 2 * first_s + 0.9


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda f: None, "the SSH key cannot be read: No such file or directory"),
        (lambda f: (f.write_text("no key"), f.chmod(0o600)), "this is not a private key"),
        (lambda f: (f.write_text("no key"), f.chmod(0o644)), "is open to others; run: chmod 600"),
    ],
)
def test_an_unusable_key_file_is_bad_input(sshd: Sshd, tmp_path: Path, prepare: object, message: str) -> None:
    prepare(tmp_path / "id")  # type: ignore[operator]  # a parametrized function
    ssh = sshd.ssh().model_copy(update={"identity_file": tmp_path / "id"})
    with pytest.raises(BadInput, match=message):
        SshHost(sshd.node(), ssh).run(Command.of("true"))


def test_a_key_with_a_passphrase_and_nobody_to_ask_is_bad_input(sshd: Sshd) -> None:
    with pytest.raises(BadInput, match="has a passphrase, and nobody is there to ask; name it in the site"):
        SshHost(sshd.node(), sshd.ssh("locked")).run(Command.of("true"))


@pytest.mark.parametrize(
    "key", ["ssh-ed25519 AAAA", "ssh-ed25519", "ssh-dss AAAAB3NzaC1kc3M=", "no key at all"]
)
def test_a_host_key_that_is_none_is_bad_input(sshd: Sshd, key: str) -> None:
    with pytest.raises(BadInput, match="host_key of oslo-1 is not a public key"):
        SshHost(sshd.node(key), sshd.ssh()).run(Command.of("true"))


def test_a_program_that_is_not_there_is_bad_input(host: SshHost, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the program cannot be read: No such file"):
        host.put_program(str(tmp_path / "p"), tmp_path / "missing", "0" * 64)


def test_an_echo_is_far_quicker_than_a_command(host: SshHost) -> None:
    nonces = [os.urandom(16) for _ in range(20)]
    seconds = host.echo_s(nonces)
    assert len(seconds) == 20
    assert 0 < min(seconds) < host.run(Command.of("cat"), stdin=b"x").seconds


class Answering:
    """A channel whose far end says `chunks`, and then nothing any more."""

    def __init__(self, *chunks: bytes | TimeoutError) -> None:
        self._chunks = iter(chunks)

    def settimeout(self, _: float) -> None: ...
    def exec_command(self, _: str) -> None: ...
    def sendall(self, _: bytes) -> None: ...

    def recv(self, _: int) -> bytes:
        chunk = next(self._chunks)
        if isinstance(chunk, TimeoutError):
            raise chunk
        return chunk


def answering(*chunks: bytes | TimeoutError) -> paramiko.Channel:
    return cast(paramiko.Channel, Answering(*chunks))  # as much of one as an echo asks for


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ((b"nothing",), "something else"),
        ((b"no", b"once"), "something else"),
        ((b"no", b""), "something else"),
        ((b"no", TimeoutError()), "within 10 s"),
    ],
)
def test_what_is_no_echo_is_refused(chunks: tuple[bytes | TimeoutError, ...], why: str) -> None:
    with pytest.raises(CommandFailed, match=why):
        echo_s("oslo-1", answering(*chunks), [b"nonce"])
    assert len(echo_s("oslo-1", answering(b"no", b"nce"), [b"nonce"])) == 1
