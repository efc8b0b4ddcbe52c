"""A doctor's round over many hosts: hosts that replay what a real one answered, each after the same delay."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.made_up_api import cluster, serving
from inventory.models.cluster import Fabric, Node, Role
from inventory.models.command import Script, Shellable
from inventory.models.site import Side, Workload
from inventory.models.verdict import Verdict
from tasks.checks.registry import all_checks, in_group
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ports import Output
from tasks.facts import gather
from tasks.steps import examination
from tasks.steps.examined import Observed, Patient
from tests.networks.cluster import MemoryKube

ANSWERS_AFTER_S = 0.05  # a round trip and a shell, as it is over a network


class Recorder:
    """Runs each question once on this machine, and keeps what was said and how long it took."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def answer(self, question: str) -> tuple[str, float]:
        with self._lock:
            if question not in self._said:
                started = time.monotonic()
                argv = ["env", "LC_ALL=C.UTF-8", "sh", "-c", question]
                done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
                self._said[question] = (done.stdout, time.monotonic() - started)
            return self._said[question]


class Replayed:
    """A host; what takes long (a window) takes as long again on each."""

    def __init__(self, name: str, recorder: Recorder) -> None:
        self.name = name
        self.asked = 0
        self._recorder = recorder

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        return ""

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        assert isinstance(command, Script), "every question goes through gather, or with others"
        self.asked += 1
        words = [str(word) for word in command.arguments]
        questions = words[1:] or words
        answers = [self._recorder.answer(question) for question in questions]
        longest = ANSWERS_AFTER_S + sum(seconds for _, seconds in answers if seconds > 1)
        time.sleep(longest)
        if len(words) == 1:
            return Output(0, answers[0][0], "", longest)
        text = gather.answered(words[0], [(answer, 0) for answer, _ in answers])
        errors = gather.answered(words[0], [("", 0)] * len(answers))
        return Output(0, text, errors, longest)


class Silent(Replayed):
    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        raise HostUnreachable(self.name, "no answer in time", "is it up?")


def file_of(folder: Path, hosts: int, kubeconfig: Path | None = None) -> Path:
    (folder / "key").write_text("x")
    (folder / "key").chmod(0o600)
    nodes = [{"name": f"n{n}", "address": f"127.0.1.{n}", "interface": "lo"} for n in range(1, hosts + 1)]
    content: dict[str, Any] = {
        "schema": "safe-harbor/cluster/v1",
        "name": "many",
        "ssh": {"identity_file": "key"},
        "cluster": {"name": "many", "pod_cidr": "10.244.0.0/16", "service_cidr": "10.96.0.0/16"},
        "nodes": nodes,
    } | ({"kubeconfig": str(kubeconfig)} if kubeconfig else {})
    file = folder / "cluster.yaml"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.slow
def test_twenty_hosts_and_their_api_take_less_than_half_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder()
    hosts: dict[str, Any] = {f"n{n}": Replayed(f"n{n}", recorder) for n in range(1, 21)}
    monkeypatch.setattr(examination, "open_hosts", lambda patient, stack: hosts)
    objects = cluster({f"n{n}": f"127.0.1.{n}" for n in range(1, 21)})
    with serving(objects, tmp_path) as kubeconfig:
        file = file_of(tmp_path, 20, kubeconfig)
        examination.examine(file)  # records
        before = sum(host.asked for host in hosts.values())
        found = examination.examine(file)
    trips = (sum(host.asked for host in hosts.values()) - before) / 20
    rows = {(row.finding.code, row.finding.subject): row.finding for row in found.rows}
    with capsys.disabled():
        print(f"\n20 replayed hosts, {trips:.1f} trips each, {len(rows)} findings: {found.seconds:.1f} s")  # noqa: T201 - figures
    assert found.seconds < 30
    assert trips < 30, "what is asked at once goes in one trip"
    reading = {check.code for check in in_group("admission") if not check.writes}
    assert rows.keys() >= {(code, name) for code in reading for name in hosts}
    looked = {check.group for check in all_checks() if check.code in {code for code, _ in rows}}
    assert looked == {"admission", "cluster", "dataplane", "workload"}
    assert rows["CLU-PROXY", "n1"].verdict is Verdict.PASS
    assert rows["CLU-KERNEL", "n1"].verdict is Verdict.PASS
    left = {each.what for each in found.left_out}
    assert {
        "controlplane",
        "DP-STEAL",
        "PATH-PODS",
        *(c.code for c in in_group("admission") if c.writes),
    } <= left
    silent = {
        code for code in ("KP-VIP-NODE", "KP-NODEPORT", "FL-MTU", "CT-HEADROOM") if (code, "n1") in rows
    }
    assert silent == {"KP-VIP-NODE", "KP-NODEPORT", "FL-MTU", "CT-HEADROOM"}


@pytest.mark.parametrize(
    ("role", "ours", "left_out"),
    [
        ("worker", True, None),
        ("control-plane", True, set()),
        ("control-plane", False, {"CLU-API", "CLU-ETCD"}),
    ],
)
def test_a_control_plane_that_answers_is_judged_itself(
    role: str, ours: bool, left_out: set[str] | None
) -> None:
    node = Node(name="n1", address="127.0.0.1", roles=(Role(role),))
    fabric = Fabric(name="many", pod_cidr="10.244.0.0/16", service_cidr="10.96.0.0/16")
    patient = Patient(
        "x", None, None, (node,), fabric, "web", None, Workload(), judges_workloads=False, ours=ours
    )
    subject = Observed("web", None, Side(nodes=(node,), cluster=fabric), Workload())
    hosts: dict[str, Any] = {"n1": Replayed("n1", Recorder())}
    every = {check.code for check in in_group("controlplane")}
    rounds = examination._rounds(patient, subject, hosts, MemoryKube())
    judged = {check.code for check, _ in rounds if check.group == "controlplane"}
    assert judged == (set() if left_out is None else every - left_out)


def test_a_silent_host_is_one_finding_and_the_others_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    hosts: dict[str, Any] = {"n1": Silent("n1", recorder), "n2": Replayed("n2", recorder)}
    quick = [check for check in in_group("admission") if check.code in ("ADM-SWAP", "ADM-SSH", "ADM-DISK")]
    monkeypatch.setattr(examination, "open_hosts", lambda patient, stack: hosts)
    monkeypatch.setattr(examination, "in_group", lambda group: quick if group == "admission" else [])
    found = examination.examine(file_of(tmp_path, 2))
    of_first = [row.finding for row in found.rows if row.finding.subject == "n1"]
    assert [(f.code, f.verdict) for f in of_first] == [("DOC-HOST", Verdict.ERROR)]
    assert {row.finding.code for row in found.rows if row.finding.subject == "n2"} == {"ADM-SWAP", "ADM-SSH"}
    assert found.unreached
    assert found.verdict is Verdict.ERROR
    assert ("ADM-DISK", "it writes half a MB, unnamed") in {(each.what, each.why) for each in found.left_out}
