"""What lies ready on the lead's machine before a host is touched, and what is refused there."""

from __future__ import annotations

import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from inventory.errors import BadInput
from inventory.models.command import Shellable
from inventory.models.site import Site
from tasks.facts.asked import FactUnreadable
from tasks.operations.kubeconfig import reaching
from tasks.steps.preparation import keep_kubeconfig, open_preparation
from tests.operations.places import PROGRAMS, preparation, site
from tests.operations.test_images_archive import program


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


@pytest.fixture
def declared(tmp_path: Path) -> Site:
    folder = tmp_path / "programs"
    folder.mkdir()
    for number, name in enumerate(PROGRAMS):
        program(folder / name, 1, size=2000 + number)
    ca = tmp_path / "ca.crt"
    ca.write_text("a certificate")
    whole = site(programs=str(folder), kubeconfig=str(tmp_path / "out" / "kubeconfig"))
    registry = whole.target.registry.model_copy(update={"ca_file": ca})
    target = whole.target.model_copy(update={"registry": registry})
    return whole.model_copy(update={"target": target, "state": tmp_path / "state"})


def test_everything_is_made_once_and_found_again(declared: Site) -> None:
    first, second = open_preparation(declared, Clock()), open_preparation(declared, Clock())
    assert first.pki == second.pki
    assert first.programs == second.programs
    assert first.archives == second.archives
    assert first.token != second.token
    assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", first.token.reveal())
    with tarfile.open(first.archives["control-plane"].path) as archive:
        assert "manifest.json" in archive.getnames()
    assert (declared.state / "pki").stat().st_mode & 0o777 == 0o700


def test_a_new_program_makes_a_new_archive_and_the_old_one_goes(declared: Site) -> None:
    old = open_preparation(declared, Clock()).archives["control-plane"]
    program(declared.target.cluster.programs / "kubernetes", 1, size=9000)
    new = open_preparation(declared, Clock()).archives["control-plane"]
    assert new.sha256 != old.sha256
    assert not Path(old.path).exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: (s.target.cluster.programs / "pause").unlink(), "pause: the program of an image cannot"),
        (lambda s: program(s.target.cluster.programs / "kubernetes", 1, 3), "build it with CGO_ENABLED=0"),
        (lambda s: s.target.registry.ca_file.unlink(), "the registry's CA cannot be read: No such file"),
    ],
)
def test_what_is_missing_is_bad_input(declared: Site, spoil: object, message: str) -> None:
    spoil(declared)  # type: ignore[operator]  # a parametrized function
    with pytest.raises(BadInput, match=message):
        open_preparation(declared, Clock())


def test_an_unknown_profile_and_a_missing_folder_are_bad_input(declared: Site, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no kernel profile 'fast'"):
        open_preparation(declared.model_copy(update={"profile": "fast"}), Clock())
    cluster = declared.target.cluster.model_copy(update={"programs": tmp_path / "nowhere"})
    target = declared.target.model_copy(update={"cluster": cluster})
    with pytest.raises(BadInput, match="nowhere: the folder of the cluster's programs is not there"):
        open_preparation(declared.model_copy(update={"target": target}), Clock())


def test_a_broken_key_is_bad_input_and_not_replaced(declared: Site) -> None:
    open_preparation(declared, Clock())
    key = declared.state / "pki" / "ca.crt"
    (declared.state / "pki" / "etcd-client.crt").write_text("broken")
    before = key.read_bytes()
    with pytest.raises(BadInput, match="a certificate or key is broken"):
        open_preparation(declared, Clock())
    assert key.read_bytes() == before


ADMIN = yaml.safe_dump(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "oslo", "cluster": {"server": "https://old:6443", "certificate-authority-data": "Y2E="}}
        ],
        "contexts": [{"name": "a@oslo", "context": {"cluster": "oslo", "user": "kubernetes-admin"}}],
        "current-context": "a@oslo",
        "users": [{"name": "kubernetes-admin", "user": {"client-key-data": "c2VjcmV0"}}],
    }
)


class Plane:
    name = "oslo-1"

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        assert str(command) == "cat /etc/kubernetes/admin.conf"
        return ADMIN


def test_the_kubeconfig_is_private_and_written_once(declared: Site) -> None:
    ready = open_preparation(declared, Clock())
    assert keep_kubeconfig(ready, Plane())  # type: ignore[arg-type]  # only `check` is used
    path = declared.target.cluster.kubeconfig
    assert path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"] == "https://10.60.0.11:6443"
    assert not keep_kubeconfig(ready, Plane())  # type: ignore[arg-type]  # only `check` is used
    path.chmod(0o644)
    assert keep_kubeconfig(ready, Plane())  # type: ignore[arg-type]  # only `check` is used
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "secret words", "clusters: []", "clusters: [x]", "{"])
def test_what_is_no_kubeconfig_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(FactUnreadable) as caught:
        reaching(text, (preparation().endpoint,), "oslo")
    assert "secret" not in str(caught.value)
