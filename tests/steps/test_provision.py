"""The stage: what it judges before it touches anything, what it records, what it refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prefect.tasks import Task

from flows.provision import provision
from inventory.errors import BadInput
from inventory.models.command import Shellable
from inventory.models.site import Site
from tasks.drivers.errors import CommandFailed, HostKeyRefused, HostUnreachable
from tasks.steps import provision as steps
from tasks.steps.machine_keys import pinned
from tasks.steps.stage import StageRefused, read_result
from tasks.steps.workplace import Workplace, opened
from tests.drivers.sshd import make_key
from tests.inventory.sites import WHOLE, folder_with
from tests.operations.fake_libvirt import FakeLibvirt
from tests.steps.conftest import Heard, subjects

KVM = """  kvm:
    hosts: [{name: kvm-5, address: 10.60.0.5}, {name: kvm-6, address: 10.60.0.6}]
    image: {file: image, sha256: %s}
    machines: [{node: oslo-1, apart: a}, {node: oslo-2, apart: a}]
"""


@dataclass
class Node:
    """A node that answers, or not; `error` is what a login meets."""

    name: str
    answering: bool = False
    error: Exception | None = None

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        if self.error is not None:
            raise self.error
        return ""


@dataclass
class Outside:
    """Nodes and KVM hosts. A machine that runs makes its node usable."""

    nodes: dict[str, Node] = field(default_factory=dict)
    kvm: dict[str, FakeLibvirt] = field(default_factory=dict)

    def open(self, site: Site) -> Any:
        assert site.target.kvm is not None
        for node in site.target.nodes:
            self.nodes.setdefault(node.name, Node(node.name))
        for host in site.target.kvm.hosts:
            self.kvm.setdefault(host.name, FakeLibvirt(host.name, site)).site = site
        return self

    def host(self, name: str) -> Node:
        return self.nodes[name]

    def answers(self, name: str) -> bool:
        return self.nodes[name].answering

    def kvm_hosts(self) -> dict[str, FakeLibvirt]:
        return self.kvm

    def unlock_hosts(self) -> None:
        """Nothing is locked."""

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
def outside() -> Outside:
    return Outside({"oslo-3": Node("oslo-3", answering=True)})


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    text = WHOLE.read_text()
    image = b"an image"
    kvm = KVM % hashlib.sha256(image).hexdigest()
    file = folder_with(tmp_path / "site", text.replace("  cluster:\n", f"{kvm}  cluster:\n", 1))
    (file.parent / "image").write_bytes(image)
    (file.parent / "secret").unlink()
    make_key(file.parent / "secret")
    return file


Run = Callable[..., Any]


@pytest.fixture
def run(
    site_file: Path, outside: Outside, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Workplace]]:
    for name, value in list(vars(steps).items()):
        if isinstance(value, Task):
            monkeypatch.setattr(steps, name, value.fn)

    @contextmanager
    def place() -> Iterator[Workplace]:
        with opened(site_file, progress=heard, actor="tests", make_drivers=outside.open) as one:
            yield one

    def ran(**options: bool) -> Workplace:
        with place() as one:
            provision.fn(str(site_file), **options)
            return one

    yield ran


def test_machines_are_made_recorded_and_pinned(run: Run, outside: Outside, site_file: Path) -> None:
    with opened(site_file, actor="tests", make_drivers=outside.open) as place:
        run()
        state = place.state
        result = read_result(state, "provision")
        assert result is not None
        assert sorted(result.figures["machines"]) == ["oslo-1", "oslo-2"]
        assert result.figures["taken_over"] == ["oslo-3"]
        assert sorted(result.figures["usable_s"]) == ["oslo-1", "oslo-2"]
        assert {(f.code, f.subject, str(f.verdict)) for f in result.findings} == {
            ("PRV-NODE", f"oslo-{n}", "pass") for n in (1, 2, 3)
        }
        node = place.site.target.nodes[0]
        key = state / "machines" / "oslo-1.hostkey"
        assert key.stat().st_mode & 0o777 == 0o600
        assert pinned(place.site, node).host_key == key.with_name("oslo-1.hostkey.pub").read_text().strip()
        assert pinned(place.site, place.site.target.nodes[2]).host_key == ""
        assert subjects(place, "host/kvm-5") == [
            f"{kind} host/kvm-5/{phase}" for phase in ("ground", "machines") for kind in ("intent", "outcome")
        ]
        secret = key.read_text().splitlines()[1]
        assert all(secret not in str(entry.body) for entry in place.ledger.entries())
        run()
        again = read_result(state, "provision")
        assert again is not None
        assert again.changes == 0


def test_a_dry_run_changes_nothing_and_keeps_no_key(
    run: Run, outside: Outside, heard: Heard, site_file: Path
) -> None:
    run(dry_run=True)
    assert any("# machine whole-oslo-1: " in said and "\n+4 vcpus" in said for said in heard.said)
    assert all(not host.domains and not host.pools for host in outside.kvm.values())
    assert not (site_file.parent / "state" / "machines").exists()


def test_without_room_not_even_the_pool_is_made(run: Run, outside: Outside, heard: Heard) -> None:
    outside.kvm["kvm-6"] = FakeLibvirt("kvm-6", None, memory=4)  # type: ignore[arg-type]
    with pytest.raises(StageRefused, match="PRV-PLACE"):
        run()
    assert all(not host.pools for host in outside.kvm.values())
    assert "has no place" in heard.findings[-1].observed


def test_what_answers_and_does_not_let_us_in_is_no_free_address(run: Run, outside: Outside) -> None:
    refused = HostKeyRefused("oslo-1", "10.60.0.11 shows the host key X", "stop")
    outside.nodes["oslo-1"] = Node("oslo-1", answering=True, error=refused)
    with pytest.raises(StageRefused, match=r"PRV-NODE oslo-1: 10\.60\.0\.11 shows the host key X"):
        run()
    assert all(not host.domains for host in outside.kvm.values())


def test_a_node_that_is_neither_there_nor_to_be_made_fails(run: Run, outside: Outside) -> None:
    outside.nodes["oslo-3"].answering = False
    with pytest.raises(StageRefused, match=r"PRV-NODE oslo-3: nothing answers at 10\.60\.0\.13"):
        run()


@pytest.mark.parametrize(
    "error", [HostUnreachable("oslo-2", "no SSH"), CommandFailed("oslo-2", "cloud-init ended with 1")]
)
def test_a_machine_that_does_not_become_usable_fails(
    run: Run, outside: Outside, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "USABLE_WITHIN_S", 0.0)
    monkeypatch.setattr(steps, "LOOK_EVERY_S", 0.0)
    outside.nodes["oslo-2"] = Node("oslo-2", error=error)
    with pytest.raises(StageRefused, match="PRV-NODE oslo-2: on kvm-"):
        run()


def test_another_image_than_declared_touches_nothing(run: Run, outside: Outside, site_file: Path) -> None:
    (site_file.parent / "image").write_bytes(b"another")
    with pytest.raises(BadInput, match="declared is"):
        run()
    assert all(not host.pools for host in outside.kvm.values())


def test_the_removal_takes_what_was_made(run: Run, outside: Outside) -> None:
    run()
    run(destroy=True, dry_run=True)
    assert sum(len(host.domains) for host in outside.kvm.values()) == 2
    run(destroy=True)
    assert all(not host.domains for host in outside.kvm.values())
