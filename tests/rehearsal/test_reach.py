"""Every line that `--keep` prints can be copied: its program and the files that it names exist."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from rehearsal import deep
from rehearsal.packages import PACKAGES
from rehearsal.parts_list import PROGRAMS
from rehearsal.plan import Plan
from rehearsal.reach import how_to_reach, link_kubectl
from rehearsal.services.database import socket_path
from tests.rehearsal.scratch import scratch_plan

OF_PACKAGES = {*PACKAGES.values(), *{"openssh-client": "ssh", "mariadb-client": "mariadb"}.values()}
MULTI_CALL = '#!/bin/sh\necho "$(basename $0) $*"\n'


@pytest.fixture(params=["containers", "deep"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    """A made-up site with every file that building one writes."""
    state = tmp_path / "state"
    made = Plan(state=state, kvm_hosts=deep.KVM_HOSTS if request.param == "deep" else ())
    for file in (made.site_file, made.aws_kubeconfig, made.oslo_kubeconfig, made.ssh_key, made.known_hosts):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    socket_path(made).parent.mkdir()
    socket_path(made).touch()
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(MULTI_CALL)
        (programs / name).chmod(0o755)
    link_kubectl(made, programs)
    return made


def test_every_printed_program_exists(plan: Plan) -> None:
    lines = [line.split() for line in how_to_reach(plan, "http://x")]
    commands = {label: words for label, *words in lines if label not in ("site", "aws", "ui")}
    assert {"target", "end"} < set(commands)
    for label, words in commands.items():
        if words[0].startswith("/"):
            assert os.access(words[0], os.X_OK), label
        else:
            assert words[0] in OF_PACKAGES | {"safe-harbor"}, label


def test_every_printed_file_exists(plan: Plan) -> None:
    lines = how_to_reach(plan)
    files = {Path(found) for line in lines for found in re.findall(rf"{plan.state}\S+", line)}
    assert {plan.kubectl, plan.site_file, plan.ssh_key} < files
    assert [file for file in sorted(files) if not file.exists()] == []


def test_the_link_goes_by_the_name_of_kubectl(plan: Plan) -> None:
    line = next(line for line in how_to_reach(plan) if line.startswith("target"))
    words = line.partition("#")[0].split()[1:]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said == f"kubectl --kubeconfig {plan.oslo_kubeconfig} get pods -A\n"


def test_a_link_of_an_earlier_release_is_replaced(plan: Plan, tmp_path: Path) -> None:
    link_kubectl(plan, tmp_path / "newer")
    assert plan.kubectl.readlink() == tmp_path / "newer" / "kubernetes"


def test_a_deep_site_names_its_hosts_and_no_aws_side() -> None:
    lines = how_to_reach(deep.plan())
    assert [line.split()[0] for line in lines] == ["site", "target", "host", "host", "end"]


def test_a_whole_site_names_every_node_and_the_ui() -> None:
    lines = how_to_reach(scratch_plan(), "http://127.0.0.1:4200")
    assert "ui       http://127.0.0.1:4200" in lines
    assert sum(line.startswith("node") for line in lines) == len(scratch_plan().oslo_nodes)
