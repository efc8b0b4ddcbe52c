"""Bad input and outside parts that refuse: the message, the exit code, and that nothing was touched."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows.cli import running
from tasks.ledger import read_entries
from tests.cli.conftest import Command, untouched
from tests.drivers import sshd as servers
from tests.drivers.sshd import Sshd
from tests.inventory.sites import WHOLE, changed, folder_with, whole
from tests.survey.test_aws_driver import answering

CAPTURES = WHOLE.parents[1] / "captures"
ON_A_SITE = [
    *("survey", "plan", "prepare", "network", "move", "replay", "judge", "approve", "cutover", "rollback"),
    *("finalize", "run", "status", "report"),
]
POD_NETWORK = "pod_cidr: 10.244.0.0/16"


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server may be started, and no connection made."""

    def refuse(*arguments: object, **options: object) -> Any:
        pytest.fail(f"it must not come to this: {arguments}")

    monkeypatch.setattr(running, "server", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


BAD_SITES = {
    "unknown key": ("controller: Fjordshop AS", "controler: Fjordshop AS", 3, "controler"),
    "duplicate key": ("name: whole\n", "name: whole\nname: twice\n", 3, "name"),
    "wrong CIDR": (POD_NETWORK, "pod_cidr: 10.244.0.0/33", 34, "pod_cidr"),
    "host bits": (POD_NETWORK, "pod_cidr: 10.244.0.7/16", 34, "pod_cidr"),
    "overlapping networks": (POD_NETWORK, "pod_cidr: 10.40.0.0/16", 34, "overlaps"),
    "overlap in the cluster": (POD_NETWORK, "pod_cidr: 10.96.0.0/16", 34, "overlaps"),
}


@pytest.mark.usefixtures("cut_off")
@pytest.mark.parametrize("case", BAD_SITES)
@pytest.mark.parametrize("name", ["run", "status"])
def test_a_bad_site_file_is_refused_before_anything(
    command: Command, tmp_path: Path, case: str, name: str
) -> None:
    old, new, line, word = BAD_SITES[case]
    file = changed(tmp_path / "site", old, new)
    with untouched(tmp_path):
        said = command(name, file)
    assert said.code == 2
    assert said.out == ""
    lines = [each for each in said.err.splitlines() if f"site.yaml:{line}:" in each]
    assert lines, said.err
    assert any(word in each for each in lines)
    assert str(file) in said.err


@pytest.mark.usefixtures("cut_off")
@pytest.mark.parametrize("name", ON_A_SITE)
def test_every_command_on_a_site_refuses_a_bad_one(command: Command, tmp_path: Path, name: str) -> None:
    old, new, _, _ = BAD_SITES["unknown key"]
    file = changed(tmp_path / "site", old, new)
    with untouched(tmp_path):
        said = command(name, file, "--json")
    assert (said.code, said.out) == (2, "")
    assert "did you mean controller?" in said.err


@pytest.mark.usefixtures("cut_off")
@pytest.mark.parametrize("name", ["replay", "run"])
def test_a_capture_with_a_broken_line_is_refused_before_anything(
    command: Command, tmp_path: Path, name: str
) -> None:
    file = whole(tmp_path / "site")
    (file.parent / "plain").write_bytes((CAPTURES / "broken-line-12.log").read_bytes())
    with untouched(tmp_path):
        said = command(name, file)
    assert said.code == 2
    assert f"{file.parent}/plain:12" in said.err


@pytest.mark.usefixtures("cut_off")
def test_a_broken_capture_alone(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with untouched(tmp_path):
        said = command(
            *("replay", "run", "--capture", CAPTURES / "broken-line-12.log"),
            *("--target", "http://127.0.0.1:9", "--rate", 10, "--out", out),
        )
    assert said.code == 2
    assert "broken-line-12.log:12" in said.err
    assert not out.exists()


@pytest.mark.usefixtures("cut_off")
def test_a_site_whose_secret_others_can_read_is_refused(command: Command, tmp_path: Path) -> None:
    file = whole(tmp_path / "site")
    (file.parent / "secret").chmod(0o644)
    with untouched(tmp_path):
        said = command("survey", file)
    assert said.code == 2
    assert "chmod 600" in said.err


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if os.getuid() != 0:
        pytest.skip("sshd must log in as root on its loopback port")
    with servers.running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def site_at(
    folder: Path, server: Sshd, *, port: int = 0, host_key: str = "host", login: str = "client"
) -> Path:
    """The whole site with one node, on this machine's sshd."""
    text = WHOLE.read_text()
    nodes = text[text.index("  nodes:\n") : text.index("  underlay:")]
    key = (server.folder / f"{host_key}.pub").read_text().split()
    one = (
        f"  nodes:\n    - {{name: oslo-1, address: 127.0.0.1, roles: [control-plane, edge, data],"
        f' host_key: "{key[0]} {key[1]}"}}\n'
    )
    ssh = (
        f"  ssh: {{identity_file: {server.folder / login}, known_hosts: plain, port: {port or server.port},"
        " connect_timeout_s: 2}\n"
    )
    old_ssh = "  ssh: {identity_file: secret, known_hosts: plain}\n"
    assert old_ssh in text
    text = text.replace(nodes, one).replace(old_ssh, ssh).replace("10.60.0.0/24", "127.0.0.0/8")
    return folder_with(folder, text)


def traces(file: Path) -> list[str]:
    return [f"{entry.kind} {entry.subject}" for entry in read_entries(file.parent / "state" / "ledger")]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unreachable": ({"port": 1}, "oslo-1: "),
    "wrong host key": ({"host_key": "other"}, "host key"),
    "wrong SSH key": ({"login": "stranger"}, "key"),
}


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("case", WRONG)
def test_a_host_that_does_not_let_us_in_ends_with_3(
    command: Command, no_server: list[Path], sshd: Sshd, tmp_path: Path, case: str, dry_run: bool
) -> None:
    how, word = WRONG[case]
    file = site_at(tmp_path / "site", sshd, **how)
    said = command("prepare", file, *(["--dry-run"] if dry_run else []))
    assert said.code == 3, said.err
    assert "safe-harbor: oslo-1: " in said.err
    assert word in said.err
    assert "Traceback" not in said.err
    assert traces(file) == ([] if dry_run else ["intent stage/prepare", "outcome stage/prepare"]), (
        "no change of a host was even intended"
    )
    assert len(no_server) == 1


class Refusing(BaseHTTPRequestHandler):
    """An API server that knows us and lets us do nothing."""

    asked: list[str]

    def _refuse(self) -> None:
        type(self).asked.append(f"{self.command} {self.path}")
        body = json.dumps(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": 'forbidden: User "poor" cannot do this',
                "reason": "Forbidden",
                "code": 403,
            }
        ).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _refuse  # noqa: N815 - the library's names

    def log_message(self, format: str, *arguments: Any) -> None:
        """Silent."""


@pytest.fixture
def poor_kubeconfig() -> Iterator[tuple[str, list[str]]]:
    """A kubeconfig without rights, and what was asked with it."""
    Refusing.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "poor", "user": {"token": "poor-token"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "poor"}}],
        "current-context": "here",
    }
    yield json.dumps(content), Refusing.asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def poor_site(tmp_path: Path, poor_kubeconfig: tuple[str, list[str]]) -> Iterator[Path]:
    """A site whose kubeconfigs give no rights in either cluster; its AWS account refuses as well."""
    denied = "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>"
    with answering(403, denied) as (aws_url, _):
        text = WHOLE.read_text()
        for old, new in (
            ("  kubeconfig: secret\n", "  kubeconfig: source.kubeconfig\n"),
            ("    home_region: us-east-1\n", f"    home_region: us-east-1\n    endpoint_url: {aws_url}\n"),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        file = folder_with(tmp_path / "site", text)
        (file.parent / "secret").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
        (file.parent / "state").mkdir()
        for name in ("state/oslo.kubeconfig", "source.kubeconfig"):
            (file.parent / name).write_text(poor_kubeconfig[0])
            (file.parent / name).chmod(0o600)
        yield file


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("name", ["network", "move"])
def test_a_kubeconfig_without_rights_ends_with_3(
    command: Command,
    no_server: list[Path],
    poor_site: Path,
    poor_kubeconfig: tuple[str, list[str]],
    name: str,
    dry_run: bool,
) -> None:
    said = command(name, poor_site, "--json", *(["--dry-run"] if dry_run else []))
    assert said.code == 3, said.err
    assert said.out == ""
    assert re.search(r"^safe-harbor: (oslo|source): ", said.err, re.MULTILINE)
    assert "forbidden" in said.err.lower()
    assert traces(poor_site) == ([] if dry_run else [f"intent stage/{name}", f"outcome stage/{name}"])
    assert_only_reads(poor_kubeconfig[1])


def test_a_survey_with_a_kubeconfig_without_rights_is_no_pass(
    command: Command, no_server: list[Path], poor_site: Path, poor_kubeconfig: tuple[str, list[str]]
) -> None:
    said = command("survey", poor_site, "--json")
    assert said.code == 1, said.err
    result = json.loads(said.out)
    assert result["verdict"] not in ("pass", "warn")
    assert not result["figures"]["complete"]
    survey = json.loads((poor_site.parent / "state" / "survey.json").read_text())
    clusters = {row["region"]: row["status"] for row in survey["coverage"] if row["service"] == "kubernetes"}
    assert clusters == {"source": "denied", "oslo": "denied"}
    assert "forbidden" in said.err.lower()
    assert_only_reads(poor_kubeconfig[1])


def assert_only_reads(asked: list[str]) -> None:
    assert asked, "it was asked"
    assert {each.partition(" ")[0] for each in asked} == {"GET"}


def test_a_broken_ledger_stops_every_command_with_4(
    command: Command, no_server: list[Path], tmp_path: Path
) -> None:
    file = whole(tmp_path / "site")
    assert command("approve", file).code == 1, "it begins the ledger, and there is nothing to approve"
    no_server.clear()
    seal = file.parent / "state" / "ledger" / "seal.note"
    seal.write_text(seal.read_text().replace("closed", "clozed").replace("open", "0pen"))
    broken = seal.read_bytes()
    said = command("approve", file)
    assert said.code == 4, said.err
    assert "the ledger does not verify" in said.err
    assert seal.read_bytes() == broken
    assert no_server == []
