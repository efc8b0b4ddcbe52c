"""The source cluster as the exit meets it: userspace kube-proxy, a shop that answers through the link."""

from __future__ import annotations

import json
import stat
import subprocess
import time
from collections.abc import Iterator

import pytest

from flows.cli.exits import answering
from flows.cli.root import app
from rehearsal import site, teardown
from rehearsal.cluster_source import onlooker_kubeconfig
from rehearsal.plan import Plan
from tests.rehearsal.scratch import scratch_plan
from tests.site.trial import Quiet, inside, kubectl

pytestmark = [pytest.mark.site, pytest.mark.slow]


@pytest.fixture(scope="module")
def plan() -> Iterator[Plan]:
    plan = scratch_plan()
    teardown.down(plan)
    site.up(Quiet(), plan=plan, out=plan.state / "out")
    yield plan
    teardown.down(plan)


def test_every_kube_proxy_is_the_old_one_in_userspace_mode(plan: Plan) -> None:
    for machine in plan.aws_nodes:
        mode = inside(plan, machine, "bash", "-c", _HTTP_GET, "bash", "10249", "/proxyMode").stdout
        assert mode.splitlines()[-1] == "userspace"
        assert inside(plan, machine, "kube-proxy", "--version").stdout.strip() == "Kubernetes v1.25.16"


def test_every_node_is_ready_and_of_the_declared_release(plan: Plan) -> None:
    said = kubectl(plan, plan.aws_kubeconfig, "get", "nodes", "-o", "json")
    nodes = json.loads(said.stdout)["items"]
    assert {node["metadata"]["name"] for node in nodes} == {machine.name for machine in plan.aws_nodes}
    for node in nodes:
        assert node["status"]["nodeInfo"]["kubeletVersion"] == f"v{plan.kubernetes_version}"
        ready = next(item for item in node["status"]["conditions"] if item["type"] == "Ready")
        assert ready["status"] == "True"


def test_the_lead_may_do_all_and_the_onlooker_nothing(plan: Plan) -> None:
    for file in (plan.aws_kubeconfig, onlooker_kubeconfig(plan)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kubectl(plan, plan.aws_kubeconfig, "auth", "can-i", "*", "*").stdout.strip() == "yes"
    refused = kubectl(plan, onlooker_kubeconfig(plan), "get", "pods", "--all-namespaces")
    assert refused.returncode == 1
    assert 'User "onlooker" cannot list resource "pods"' in refused.stderr


def test_the_doctor_finds_what_the_article_complains_about(
    plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the source's kubeconfig alone, and over SSH at the bare machines of the target."""
    file = plan.site / "site.yaml"
    load = file.read_bytes()
    capture = plan.capture
    capture.touch()  # the rehearsal records it later; a site file is refused without it
    code = answering(app, ["doctor", str(file), "--json"])
    document = json.loads(capsys.readouterr().out)
    found = {(f["side"], f["code"], f["subject"]): f for f in document["findings"]}
    for machine in plan.aws_nodes:
        proxy = found["source", "CLU-PROXY", machine.name]
        assert (proxy["verdict"], proxy["observed"]) == ("fail", "kube-proxy says userspace")
        assert "--proxy-mode=iptables" in proxy["remedy"]
        kernel = found["source", "CLU-KERNEL", machine.name]
        assert kernel["verdict"] == "fail"
        assert (
            "too few for a kernel's own threads; its kubelet is told to count no disk" in kernel["observed"]
        )
        conntrack = found["source", "CLU-CONNTRACK", machine.name]
        assert conntrack["verdict"] == "warn"
        assert "told to leave nf_conntrack_max as it is" in conntrack["observed"]
        assert "sysctl net.netfilter.nf_conntrack_max" in conntrack["remedy"]
    without = found["source", "WL-READY", "other-namespaces"]
    assert (without["verdict"], "mailer-legacy" in without["observed"]) == ("warn", True)
    shop = found["source", "WL-READY", "deployment/shop/shop"]
    assert shop["verdict"] == "pass"
    unseen = [each for each in document["left_out"] if each["side"] == "source"]
    assert any("sysctl" in each["why"] for each in unseen), "what the API cannot show is said"
    for machine in plan.oslo_nodes:
        virt = found["target", "ADM-VIRT", machine.name]
        assert (virt["verdict"], virt["waived_by"]) == ("fail", "The rehearsal")
    assert code == 1
    assert document["seconds"] < 30
    assert file.read_bytes() == load
    assert not (plan.state / "out" / "ledger").exists()


def test_the_shop_answers_through_the_link_and_its_delay(plan: Plan) -> None:
    url = f"http://{plan.elb_public}/"
    argv = ["curl", "-s", "-o", "/dev/null", "-m", "10", "-w", "%{http_code} %{time_total}", url]
    subprocess.run(argv, check=True, capture_output=True)
    started = time.monotonic()
    code, seconds = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert code == "200"
    assert plan.link_delay_ms / 1000 <= float(seconds) <= time.monotonic() - started


def test_the_two_sides_and_the_host_meet_at_the_link_only(plan: Plan) -> None:
    aws, oslo = plan.aws_nodes[0].address, plan.oslo_nodes[0].address
    ways = {
        (plan.host_address, "wan0", aws): False,
        (oslo, plan.oslo_bridge, aws): False,
        (aws, plan.aws_bridge, oslo): False,
        (plan.host_address, "wan0", oslo): True,
    }
    for (source, arrives_at, target), leads_there in ways.items():
        argv = ["ip", "-n", plan.wan_netns, "route", "get", target, "from", source, "iif", arrives_at]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is leads_there, f"{source} -> {target}: {done.stdout}{done.stderr}"
    route = subprocess.run(["ip", "route", "get", aws], capture_output=True, text=True, check=False)
    assert plan.host_interface not in route.stdout


# GET of $2 at port $1, without any program that a node may not have.
_HTTP_GET = 'exec 3<>/dev/tcp/127.0.0.1/$1; printf "GET %s HTTP/1.0\\r\\n\\r\\n" "$2" >&3; cat <&3'
