"""Ways in: jump hosts, keys with a passphrase, the agent, certificates of users and hosts; real OpenSSH."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inventory.errors import BadInput
from inventory.models.cluster import Node
from inventory.models.command import Command
from inventory.models.ssh import Ssh
from tasks.drivers.errors import HostKeyRefused, HostUnreachable, LoginRefused
from tasks.drivers.ssh import SshHost
from tasks.drivers.ssh_way import SshWay
from tests.drivers import sshd as servers
from tests.drivers.sshd import Sshd

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="sshd must log in as root on its loopback port")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sshd")
    for name in ("host", "authority", "other-authority"):
        servers.make_key(made / name)
    sign(made, "authority", "host", "-h", "-n", "oslo-1,127.0.0.1")
    return made


@pytest.fixture(scope="module")
def sshd(folder: Path) -> Iterator[Sshd]:
    """It has a host certificate, and trusts users whose keys the authority has signed."""
    certificate = f"HostCertificate {folder}/host-cert.pub"
    with servers.running(folder, certificate, f"TrustedUserCAKeys {folder}/authority.pub") as server:
        yield server


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, sshd: Sshd) -> Iterator[Sshd]:
    """Forwards to `sshd` alone, and takes its client's key."""
    own = tmp_path_factory.mktemp("gate")
    for name in ("client", "client.pub"):
        (own / name).write_bytes((sshd.folder / name).read_bytes())
        (own / name).chmod(0o600)
    with servers.running(own, f"PermitOpen 127.0.0.1:{sshd.port}") as server:
        yield server


def sign(folder: Path, authority: str, key: str, *words: str) -> None:
    argv = [
        "ssh-keygen",
        "-q",
        "-s",
        str(folder / authority),
        "-I",
        "test",
        *words,
        str(folder / f"{key}.pub"),
    ]
    subprocess.run(argv, check=True)


def says(sshd: Sshd, ssh: Ssh, node: Node | None = None) -> str:
    with SshHost(node or sshd.node(), ssh) as host:
        return host.check(Command.of("echo", "in"))


# -- jump hosts -------------------------------------------------------------------------------------------


def test_one_and_several_jump_hosts(sshd: Sshd, gate: Sshd) -> None:
    assert says(sshd, sshd.ssh(jump=(gate.jump(),))) == "in\n"
    first = sshd.jump("first")  # forwards anywhere
    assert says(sshd, sshd.ssh(jump=(first, sshd.jump("second"), gate.jump()))) == "in\n"


def test_the_hosts_share_the_way_and_a_lost_one_is_made_anew(sshd: Sshd, gate: Sshd) -> None:
    ssh = sshd.ssh(jump=(gate.jump(),))
    way = SshWay(ssh)
    hosts = [SshHost(sshd.node(), ssh, way) for _ in range(6)]
    said: list[str] = []

    def ask() -> None:
        threads = [
            threading.Thread(target=lambda h=host: said.append(h.check(Command.of("echo", "in"))))
            for host in hosts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    ask()
    (hop,) = way._hops
    hop.close()  # as a jump host that is booted anew
    ask()
    assert said == ["in\n"] * 12
    assert len(way._hops) == 1 and way._hops[0] is not hop
    for host in hosts:
        host.close()
    way.close()


def test_a_jump_host_with_another_key_is_refused_by_name(sshd: Sshd, gate: Sshd) -> None:
    wrong = gate.jump(host_key=sshd.public("other"))
    with pytest.raises(
        HostKeyRefused, match=r"gate: 127\.0\.0\.1 shows the host key .*; stop: somebody else"
    ):
        says(sshd, sshd.ssh(jump=(wrong,)))


def test_a_jump_host_that_does_not_forward_is_named(sshd: Sshd, gate: Sshd) -> None:
    elsewhere = sshd.ssh(jump=(gate.jump(),)).model_copy(update={"port": gate.port})
    with pytest.raises(HostUnreachable, match=r"gate: does not forward to 127\.0\.0\.1.*AllowTcpForwarding"):
        says(sshd, elsewhere)


def test_a_host_that_a_jump_host_cannot_reach_is_named(sshd: Sshd) -> None:
    closed = sshd.ssh(jump=(sshd.jump(),)).model_copy(update={"port": servers.free_port()})
    with pytest.raises(HostUnreachable, match=r"oslo-1: no SSH at .*gate cannot reach it: Connect failed"):
        says(sshd, closed)


def test_a_jump_host_that_is_down_is_named(sshd: Sshd, gate: Sshd) -> None:
    down = gate.jump().model_copy(update={"port": servers.free_port()})
    with pytest.raises(HostUnreachable, match=r"gate: no SSH at .*refused"):
        says(sshd, sshd.ssh(jump=(down,)))


# -- our key ----------------------------------------------------------------------------------------------


def test_a_passphrase_from_a_file_or_the_environment(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "passphrase"
    file.write_text("secret-words\n")
    assert says(sshd, sshd.ssh("locked", passphrase_file=file)) == "in\n"
    monkeypatch.setenv("OSLO_PASSPHRASE", "secret-words")
    assert says(sshd, sshd.ssh("locked", passphrase_env="OSLO_PASSPHRASE")) == "in\n"


def test_a_person_is_asked_for_the_passphrase_once(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "secret-words"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", answer)
    ssh = sshd.ssh("locked")
    assert says(sshd, ssh) == says(sshd, ssh) == "in\n"
    assert asked == [f"passphrase of {sshd.folder}/locked: "]


def test_a_passphrase_that_does_not_fit_or_is_not_there(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "passphrase"
    file.write_text("wrong-words\n")
    with pytest.raises(BadInput, match="locked: the passphrase does not open the SSH key") as caught:
        says(sshd, sshd.ssh("locked", passphrase_file=file))
    assert "wrong-words" not in str(caught.value)
    monkeypatch.delenv("OTHER_PASSPHRASE", raising=False)
    with pytest.raises(BadInput, match=r"has a passphrase, and \$OTHER_PASSPHRASE is not set"):
        says(sshd, sshd.ssh("locked", passphrase_env="OTHER_PASSPHRASE"))


@pytest.fixture
def agent(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """An agent of its own; the function adds a key to it."""
    sock = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
    while not sock.exists():
        assert process.poll() is None
    yield lambda name: subprocess.run(["ssh-add", "-q", str(sshd.folder / name)], check=True)
    process.terminate()
    process.wait(10)


def test_a_key_of_the_agent(sshd: Sshd, agent: Callable[[str], None]) -> None:
    ssh = sshd.ssh(agent=True).model_copy(update={"identity_file": None})
    with pytest.raises(BadInput, match=r"the agent at .* holds no key; run: ssh-add FILE"):
        says(sshd, ssh)
    agent("stranger")
    with pytest.raises(LoginRefused, match=r"oslo-1: 127\.0\.0\.1 does not take a key of the agent for root"):
        says(sshd, ssh)
    agent("client")
    assert says(sshd, ssh) == "in\n"


def test_the_agent_is_asked_after_the_identity_file(sshd: Sshd, agent: Callable[[str], None]) -> None:
    agent("client")
    assert says(sshd, sshd.ssh("stranger", agent=True)) == "in\n"


def test_no_agent_is_bad_input(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(BadInput, match="there is no SSH agent"):
        says(sshd, sshd.ssh("stranger", agent=True))


def test_a_user_certificate_logs_in(sshd: Sshd, agent: Callable[[str], None]) -> None:
    sign(sshd.folder, "authority", "stranger", "-n", "root")
    certificate = sshd.folder / "stranger-cert.pub"
    assert says(sshd, sshd.ssh("stranger", certificate_file=certificate)) == "in\n"
    with pytest.raises(LoginRefused):
        says(sshd, sshd.ssh("stranger"))
    agent("stranger")  # ssh-add takes the certificate along
    assert says(sshd, sshd.ssh(agent=True).model_copy(update={"identity_file": None})) == "in\n"
    certificate.unlink()


def test_a_certificate_that_does_not_fit_is_bad_input(sshd: Sshd) -> None:
    for name, why in (
        ("host-cert.pub", "not an OpenSSH user certificate"),
        ("client.pub", "not an OpenSSH user certificate"),
        ("client", "not an OpenSSH certificate"),
        ("missing", "the certificate cannot be read: No such file"),
    ):
        with pytest.raises(BadInput, match=why):
            says(sshd, sshd.ssh(certificate_file=sshd.folder / name))
    sign(sshd.folder, "authority", "ecdsa", "-n", "root")
    with pytest.raises(BadInput, match="this certificate is another key's"):
        says(sshd, sshd.ssh(certificate_file=sshd.folder / "ecdsa-cert.pub"))
    (sshd.folder / "ecdsa-cert.pub").unlink()


# -- the host's certificate -------------------------------------------------------------------------------


def known(sshd: Sshd, file: Path, *lines: str) -> Ssh:
    file.write_text("".join(f"{line}\n" for line in lines))
    return sshd.ssh(known_hosts=file)


def test_an_authority_vouches_for_the_host(sshd: Sshd, tmp_path: Path) -> None:
    ssh = known(
        sshd, tmp_path / "known", f"@cert-authority [127.0.0.*]:{sshd.port} {sshd.public('authority')}"
    )
    assert says(sshd, ssh, sshd.node("")) == "in\n"


def test_another_authority_or_a_withdrawn_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    where = f"[127.0.0.1]:{sshd.port}"
    stranger = f"@cert-authority {where} {sshd.public('other-authority')}"
    vouched = f"@cert-authority {where} {sshd.public('authority')}"
    for lines, why in (
        ((stranger,), "signed by no authority of known_hosts"),
        ((vouched, f"@revoked {where} {sshd.public('host')}"), "shows the revoked host key"),
        ((vouched, f"@revoked {where} {sshd.public('authority')}"), "its authority is revoked"),
    ):
        with pytest.raises(HostKeyRefused, match=why):
            says(sshd, known(sshd, tmp_path / "known", *lines), sshd.node(""))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-h", "-n", "oslo-2"), "it is for oslo-2, not for oslo-1 or 127.0.0.1"),
        (("-h",), "it is for no name"),
        (("-h", "-n", "oslo-1", "-V", "20200101:20200102"), "it is not valid today"),
    ],
)
def test_a_certificate_for_somebody_else_or_another_day_is_refused(
    tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    for name in ("host", "authority"):
        servers.make_key(tmp_path / name)
    sign(tmp_path, "authority", "host", *words)
    with servers.running(tmp_path, f"HostCertificate {tmp_path}/host-cert.pub") as sshd:
        authority = f"@cert-authority [127.0.0.1]:{sshd.port} {sshd.public('authority')}"
        with pytest.raises(HostKeyRefused, match=f"certificate that is not taken: {why}.*; stop"):
            says(sshd, known(sshd, tmp_path / "known", authority), sshd.node(""))


def test_a_pinned_key_is_asked_for_although_there_is_a_certificate(sshd: Sshd, tmp_path: Path) -> None:
    assert says(sshd, sshd.ssh()) == "in\n"
    ssh = known(sshd, tmp_path / "known", f"[127.0.0.1]:{sshd.port} {sshd.public('host')}")
    assert says(sshd, ssh, sshd.node("")) == "in\n"
