"""What hosts show of disks, backups, mirrors and the encryption of Secrets, against what is declared."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from inventory.models.finding import Finding
from inventory.models.processing import Processing, Processor
from inventory.models.verdict import Verdict
from tasks.checks.registry import Check
from tasks.checks.residency import dat_01, dat_04, dat_05, dat_07
from tasks.drivers.errors import HostUnreachable
from tasks.facts import backups, mounts, network_disks, registry_mirrors, secret_encryption
from tests.checks.residency.test_statements_judged import signed
from tests.checks.residency.world import FakeHost, FakeKube, one, run, world
from tests.facts.files_of import as_answered

VAULT = Processor(
    name="Vault AS",
    country="NO",
    purpose="storage",
    hosts=("vault.example",),
    networks=(IPv4Network("192.0.2.0/28"),),
)
ABROAD = Processor(name="Vault Inc", country="US", purpose="storage", hosts=("vault.us.example",))


def asked(check: Check, subject: str, question: object, answer: Any, folder: Path, **changes: Any) -> Finding:
    """The finding on a host that answers one question so, and is quiet else."""
    site = world(folder).site.model_copy(update={"processing": Processing(processors=(VAULT, ABROAD))})
    host = FakeHost("nameserver 10.60.0.1\n", {str(question): answer})
    return one(check, world(folder, site=site, hosts={"oslo-1": host}, **changes), f"oslo-1/{subject}")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("10.60.0.12:/srv /srv nfs4 rw,addr=10.60.0.12", Verdict.PASS),
        ("10.60.0.99:/srv /srv nfs4 rw,addr=10.60.0.99", Verdict.WARN),
        ("nas.example:/srv /srv nfs4 rw,addr=203.0.113.7", Verdict.FAIL),
        ("nas.example:/srv /srv nfs4 rw,addr=192.0.2.3", Verdict.PASS),
        ("vault.example:/srv /srv nfs4 rw", Verdict.PASS),
        ("vault.us.example:/srv /srv nfs4 rw,addr=203.0.113.7", Verdict.FAIL),
        ("fs-1.efs.us-east-1.amazonaws.com:/ /srv nfs4 rw,addr=198.18.0.9", Verdict.FAIL),
        ("//10.60.0.13/share /srv cifs rw", Verdict.PASS),
        ("s3fs /srv fuse.s3fs rw", Verdict.NODATA),
        ("shop /srv fuse.gcsfuse rw", Verdict.FAIL),
        ("share /srv virtiofs rw", Verdict.WARN),
        ("/dev/sda1 /srv xfs rw", Verdict.PASS),
    ],
)
def test_a_mount_is_judged_by_who_keeps_it(line: str, expected: Verdict, tmp_path: Path) -> None:
    finding = asked(dat_01.CHECK, "mounts", mounts.command(), f"{line} 0 0\n", tmp_path)
    assert finding.verdict is expected, finding


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("disk\tsda", Verdict.PASS),
        ("served\tiscsi\tconnection1:0\t10.60.0.12", Verdict.PASS),
        ("served\tiscsi\tconnection1:0\t203.0.113.7", Verdict.FAIL),
        ("served\tnvme-tcp\tnvme1\ttraddr=192.0.2.3,trsvcid=4420", Verdict.PASS),
        ("served\trbd\trbd0\t10.60.0.12:6789,203.0.113.7:6789", Verdict.FAIL),
        ("served\tnbd\tnbd0\t", Verdict.NODATA),
    ],
)
def test_a_disk_is_judged_by_who_serves_it(row: str, expected: Verdict, tmp_path: Path) -> None:
    finding = asked(dat_01.CHECK, "disks", network_disks.command(), f"seen\ndisk\tvda\n{row}\n", tmp_path)
    assert finding.verdict is expected, finding


def test_a_host_whose_disks_are_not_seen_does_not_pass(tmp_path: Path) -> None:
    question = network_disks.command()
    assert asked(dat_01.CHECK, "disks", question, "", tmp_path).verdict is Verdict.ERROR
    away = HostUnreachable("oslo-1", "no route")
    assert asked(dat_01.CHECK, "disks", question, away, tmp_path).verdict is Verdict.ERROR
    nobody = world(tmp_path, hosts={})
    assert [each.verdict for each in run(dat_01.CHECK, nobody) if each.subject == "hosts"] == [
        Verdict.NODATA
    ] * 2


CRON = "line\t/etc/cron.d/b\t0 3 * * * root restic -r {} backup /srv\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", Verdict.PASS),
        ("program\trestic\n", Verdict.WARN),
        (CRON.format("sftp:b@vault.example:/shop"), Verdict.PASS),
        (CRON.format("sftp:b@10.60.0.13:/shop"), Verdict.PASS),
        (CRON.format("sftp:b@vault.us.example:/shop"), Verdict.FAIL),
        (CRON.format("s3:https://u:hunter2@elsewhere.example/shop"), Verdict.FAIL),
        (CRON.format("s3:s3.eu-north-1.amazonaws.com/shop"), Verdict.FAIL),
        ("line\t/etc/cron.d/b\t0 3 * * * root restic backup /srv\n", Verdict.NODATA),
        ("hunter2\n", Verdict.ERROR),
    ],
)
def test_where_a_host_sends_backups(answer: str, expected: Verdict, tmp_path: Path) -> None:
    finding = asked(dat_04.CHECK, "backups", backups.command(), answer, tmp_path)
    assert finding.verdict is expected, finding
    assert "hunter2" not in finding.model_dump_json()


def test_no_backup_anywhere_is_no_pass_until_somebody_states_where_they_lie(tmp_path: Path) -> None:
    assert one(dat_04.CHECK, world(tmp_path), "backups").verdict is Verdict.NODATA
    for country, expected in (("NO", Verdict.PASS), ("US", Verdict.FAIL)):
        statement = signed("DAT-04", "backups", location="tapes in a vault", country=country)
        finding = one(dat_04.CHECK, world(tmp_path, statements=(statement,)), "backups")
        assert finding.verdict is expected
        assert "no backup location" in finding.observed
    host = FakeHost("", {str(backups.command()): CRON.format("sftp:b@10.60.0.13:/shop")})
    seen = {each.subject for each in run(dat_04.CHECK, world(tmp_path, hosts={"oslo-1": host}))}
    assert "backups" not in seen


def mirror(url: str, registry: str = "docker.io") -> str:
    return as_answered({f"/etc/containerd/certs.d/{registry}/hosts.toml": f'[host."{url}"]\n'})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", Verdict.PASS),
        (mirror("https://10.60.0.11:5000", "10.60.0.11:5000"), Verdict.PASS),
        (mirror("https://10.60.0.12:5000"), Verdict.PASS),
        (mirror("https://vault.example"), Verdict.PASS),
        (mirror("https://mirror.elsewhere.example"), Verdict.NODATA),
        (mirror("https://123456789012.dkr.ecr.us-east-1.amazonaws.com"), Verdict.FAIL),
        (as_answered({"/etc/containerd/certs.d/x/hosts.toml": "no toml"}), Verdict.ERROR),
    ],
)
def test_a_mirror_is_judged_by_whose_it_is(answer: str, expected: Verdict, tmp_path: Path) -> None:
    finding = asked(dat_05.CHECK, "registry-mirrors", registry_mirrors.command(), answer, tmp_path)
    assert finding.verdict is expected, finding


CONFIG = """file /etc/kubernetes/encryption.yaml
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
"""
AES = "    - aescbc: {keys: [{name: key1, secret: hunter2}]}\n"
KMS = "    - kms: {apiVersion: v2, name: NAME, endpoint: unix:///run/kms.sock}\n"
IDENTITY = "    - identity: {}\n"


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        ("none\n", Verdict.WARN, "as they are in etcd"),
        ("unseen /etc/e.yaml cannot be read\n", Verdict.NODATA, "cannot be read"),
        (CONFIG + AES + IDENTITY, Verdict.PASS, "Secrets by aescbc, identity"),
        (CONFIG + IDENTITY + AES, Verdict.WARN, "lie in etcd as they are"),
        (CONFIG + KMS.replace("NAME", "aws-kms"), Verdict.FAIL, "aws-kms is one of aws"),
        (CONFIG + KMS.replace("NAME", "vault"), Verdict.NODATA, "nobody has signed a statement on kms/vault"),
        (CONFIG + KMS.replace("NAME", "own") + IDENTITY, Verdict.PASS, "Key AS (NO) holds the keys"),
        (CONFIG + KMS.replace("NAME", "theirs"), Verdict.FAIL, "Key Inc (US) holds the keys"),
        ("file /etc/e.yaml\n: hunter2: [\n", Verdict.ERROR, "is no EncryptionConfiguration"),
    ],
)
def test_how_secrets_are_encrypted(answer: str, expected: Verdict, said: str, tmp_path: Path) -> None:
    statements = (
        signed("DAT-07", "kms/own", holder="Key AS", country="NO"),
        signed("DAT-07", "kms/theirs", holder="Key Inc", country="US"),
    )
    finding = asked(
        dat_07.CHECK,
        "secret-encryption",
        secret_encryption.command(),
        answer,
        tmp_path,
        statements=statements,
        target=FakeKube(),
    )
    assert finding.verdict is expected, finding
    assert said in finding.observed
    assert "hunter2" not in finding.model_dump_json()
