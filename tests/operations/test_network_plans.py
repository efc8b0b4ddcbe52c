"""The plans of flannel, the CNI configuration and kube-proxy."""

from __future__ import annotations

import base64
import json
import subprocess
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from inventory.models.change import PutFile, Run
from inventory.models.cluster import KubeProxy, Network, ProxyMode
from inventory.models.secret import Secret
from tasks.facts import config_files, iptables, sysctl
from tasks.facts import files as file_facts
from tasks.facts.flannel import SubnetEnv, ask_config, ask_subnet
from tasks.operations import cni, flannel, kube_proxy
from tests.operations.network_site import facts, files_answer, service_answers, site

ETCD = flannel.etcd_access("https://10.60.0.11:2379")
SUBNET = (
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.99.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
)
TOKEN = Secret("ey-token")
DATA = Path(__file__).parents[1] / "data" / "dataplane"
SERVER = "https://10.60.0.11:6443"


def test_the_configuration_is_written_once() -> None:
    cluster = site().target.cluster
    (change,) = flannel.plan_config("oslo-1", cluster, ETCD, facts("oslo-1", (ask_config(ETCD), "")))
    (put,) = change.apply
    assert isinstance(put, Run)
    assert json.loads(put.stdin) == {
        "Network": "10.244.0.0/16",
        "SubnetLen": 24,
        "Backend": {"Type": "vxlan", "VNI": 1, "Port": 8472},
    }
    assert "etcd-client.key" in str(put.command)
    written = facts("oslo-1", (ask_config(ETCD), put.stdin.decode()))
    assert flannel.plan_config("oslo-1", cluster, ETCD, written) == []


def test_another_configuration_is_put_back_by_undo() -> None:
    old = '{"Network":"10.1.0.0/16","Backend":{"Type":"udp"}}'
    (change,) = flannel.plan_config(
        "oslo-1", site().target.cluster, ETCD, facts("oslo-1", (ask_config(ETCD), old))
    )
    (undo,) = change.undo
    assert isinstance(undo, Run)
    assert undo.stdin.decode() == old
    assert "udp" in change.before


def test_direct_routing_is_declared_by_the_site() -> None:
    config = flannel.network_config(
        site(network=Network(direct_routing=True, vni=7, port=4789)).target.cluster
    )
    assert config["Backend"] == {"Type": "vxlan", "VNI": 7, "Port": 4789, "DirectRouting": True}


def flannel_facts(declared: Any, *, running: bool) -> Any:
    node = declared.target.nodes[1]
    service = flannel.service(node, declared.target.cluster, ETCD)
    questions = flannel.questions(node, declared.target.cluster, ETCD)
    return node, facts(node.name, *service_answers(service, questions, running=running))


def test_flanneld_is_planned_and_a_repeat_plans_nothing() -> None:
    declared = site()
    node, bare = flannel_facts(declared, running=False)
    changes = flannel.plan_node(node, declared.target.cluster, ETCD, bare)
    assert [change.subject for change in changes][-1] == "service flanneld.service"
    (unit,) = [
        action.content.decode()
        for change in changes
        for action in change.apply
        if isinstance(action, PutFile)
        and action.path.endswith("flanneld.service")
        and b"[Unit]" in action.content
    ]
    for flag in (
        "--iface=10.60.0.12",
        "--ip-masq",
        "--healthz-port=10401",
        "--etcd-cafile=",
        "--etcd-keyfile=",
    ):
        assert flag in unit
    _, done = flannel_facts(declared, running=True)
    assert flannel.plan_node(node, declared.target.cluster, ETCD, done) == []


def test_another_backend_restarts_flanneld() -> None:
    _, done = flannel_facts(site(), running=True)
    declared = site(network=Network(port=4789))
    changes = flannel.plan_node(declared.target.nodes[1], declared.target.cluster, ETCD, done)
    assert [change.subject for change in changes] == [
        "file /etc/systemd/system/flanneld.service",
        "service flanneld.service",
    ]


subnets = st.builds(
    lambda base, length, number: list(IPv4Network((base << 24, 8)).subnets(new_prefix=length))[number],
    st.integers(1, 100),
    st.integers(20, 22),
    st.integers(0, 4095),
)


@given(subnet=subnets, mtu=st.integers(1280, 8951))
def test_the_conflist_is_valid_and_of_this_subnet(subnet: IPv4Network, mtu: int) -> None:
    gateway = IPv4Interface(f"{subnet.network_address + 1}/{subnet.prefixlen}")
    bridge, portmap = json.loads(cni.render(SubnetEnv(IPv4Network("10.0.0.0/8"), gateway, mtu, True)))[
        "plugins"
    ]
    assert bridge["ipam"]["ranges"] == [[{"subnet": str(subnet)}]]
    assert bridge["mtu"] == mtu
    assert bridge["hairpinMode"] is True
    assert bridge["isGateway"] is True
    assert portmap["type"] == "portmap"


@pytest.mark.parametrize(
    "address", ["10.244.99.1/24", "10.244.99.129/25", "10.244.16.1/20", "10.244.3.65/28"]
)
def test_the_script_on_the_node_renders_the_same(tmp_path: Path, address: str) -> None:
    names = ("subnet.env", "starting", "template", "net.d/out.conflist")
    env, starting, template, conflist = (tmp_path / name for name in names)
    starting.touch()
    template.write_text(cni.template())
    text = SUBNET.replace("10.244.99.1/24", address)
    env.write_text(text)
    script = cni.files()[1].content.decode()
    for was, now in ((cni.CONFLIST, conflist), (cni.TEMPLATE, template), (cni.STARTING, starting)):
        script = script.replace(f"={was}\n", f"={now}\n").replace(f"={was} ", f"={now} ")
    script = script.replace("subnet=/run/flannel/subnet.env", f"subnet={env}")
    assert "/etc" not in script.replace("Written by safe-harbor: renders", "")
    subprocess.run(["sh", "-c", script], check=True, timeout=20)
    subnet = IPv4Interface(address)
    assert conflist.read_text() == cni.render(SubnetEnv(IPv4Network("10.244.0.0/16"), subnet, 1450, True))


def test_the_conflist_is_planned_until_it_is_the_rendering() -> None:
    of_file, of_subnet = file_facts.ask([cni.CONFLIST]), ask_subnet()
    missing = facts("oslo-2", (of_file, files_answer([cni.CONFLIST])), (of_subnet, SUBNET))
    (change,) = cni.plan_conflist("oslo-2", missing)
    assert "10.244.99.0/24" in change.after
    env = of_subnet.parse(SUBNET)
    assert env is not None
    right = cni.Wanted(cni.CONFLIST, cni.render(env).encode())
    there = facts("oslo-2", (of_file, files_answer([cni.CONFLIST], [right])), (of_subnet, SUBNET))
    assert cni.plan_conflist("oslo-2", there) == []
    moved = (of_subnet, SUBNET.replace("99", "98"))
    assert len(
        cni.plan_conflist(
            "oslo-2", facts("oslo-2", (of_file, there.answers[of_file.command.render()]), moved)
        )
    )


def proxy_facts(
    declared: Any, *, running: bool, access: str = "ro", rules: str = "", sysctl_file: str = ""
) -> Any:
    node = declared.target.nodes[1]
    service = kube_proxy.service(node, declared.target.cluster, SERVER, TOKEN, sets_conntrack=access == "rw")
    questions = kube_proxy.questions()
    setting = (sysctl.ask([kube_proxy.CONNTRACK_MAX]), f"{kube_proxy.CONNTRACK_MAX}\t{access}\t262144\n")
    files = (config_files.ask(kube_proxy.SYSCTL_FILES), config_answer(sysctl_file))
    known = service_answers(service, questions, running=running)
    answers = (*known, setting, files, (iptables.ask(), rules))
    return node, facts(node.name, *answers)


def config_answer(text: str, path: str = "/etc/sysctl.d/90-shop.conf") -> str:
    """One file that matched, or none."""
    coded = [base64.b64encode(each.encode()).decode() for each in (f"{path}\0", f"{path}\0", text)]
    return "\n".join(coded) + "\n" if text else ""


def unit_of(changes: Any) -> str:
    return next(
        action.content.decode()
        for change in changes
        for action in change.apply
        if isinstance(action, PutFile) and b"[Unit]" in action.content
    )


@pytest.mark.parametrize(("access", "flag"), [("ro", "--conntrack-max-per-core=0"), ("rw", "=32768")])
def test_kube_proxy_leaves_a_read_only_conntrack_table_alone(access: str, flag: str) -> None:
    declared = site()
    node, bare = proxy_facts(declared, running=False, access=access)
    unit = unit_of(kube_proxy.plan_node(node, declared.target.cluster, SERVER, TOKEN, bare))
    for word in (flag, "--proxy-mode=iptables", "--cluster-cidr=10.244.0.0/16", "--masquerade-all=false"):
        assert word in unit


def test_kube_proxy_leaves_the_conntrack_table_to_a_node_that_sets_it_at_boot() -> None:
    declared = site()
    for text, flag in (
        ("net.netfilter.nf_conntrack_max = 262144\n", "--conntrack-max-per-core=0"),
        ("# net.netfilter.nf_conntrack_max = 262144\n", "--conntrack-max-per-core=32768"),
    ):
        node, bare = proxy_facts(declared, running=False, access="rw", sysctl_file=text)
        assert flag in unit_of(kube_proxy.plan_node(node, declared.target.cluster, SERVER, TOKEN, bare))


def test_kube_proxy_repeats_without_a_change_and_hides_its_token() -> None:
    declared = site()
    node, bare = proxy_facts(declared, running=False)
    changes = kube_proxy.plan_node(node, declared.target.cluster, SERVER, TOKEN, bare)
    shown = "".join(f"{change} {change!r}" for change in changes)
    assert "ey-token" not in shown
    (token,) = [a for c in changes for a in c.apply if isinstance(a, PutFile) and a.path.endswith("/token")]
    assert token.mode == 0o600
    _, done = proxy_facts(declared, running=True)
    assert kube_proxy.plan_node(node, declared.target.cluster, SERVER, TOKEN, done) == []
    new = kube_proxy.plan_node(node, declared.target.cluster, SERVER, Secret("another"), done)
    assert [change.subject for change in new] == [
        f"file {kube_proxy.FOLDER}/token",
        "service kube-proxy.service",
    ]


def test_rules_of_userspace_mode_are_removed_after_the_new_proxy_has_started() -> None:
    declared = site()
    rules = (DATA / "iptables-userspace.txt").read_text()
    node, bare = proxy_facts(declared, running=False, rules=rules)
    changes = kube_proxy.plan_node(node, declared.target.cluster, SERVER, TOKEN, bare)
    assert [change.subject for change in changes][-2:] == [
        "service kube-proxy.service",
        "rules of kube-proxy's userspace mode",
    ]
    assert changes[-1].before.split(", ") == [
        "filter/KUBE-NODEPORT-NON-LOCAL",
        "nat/KUBE-PORTALS-CONTAINER",
        "nat/KUBE-PORTALS-HOST",
        "nat/KUBE-NODEPORT-CONTAINER",
        "nat/KUBE-NODEPORT-HOST",
    ]
    of_iptables_mode = iptables.parse((DATA / "iptables.txt").read_text())
    assert kube_proxy.plan_userspace_removal("oslo-2", of_iptables_mode) == []


def test_the_declared_mode_and_masquerade_all_are_flags() -> None:
    declared = site(proxy=KubeProxy(mode=ProxyMode.NFTABLES, masquerade_all=True))
    flags = kube_proxy.flags(declared.target.nodes[0], declared.target.cluster, sets_conntrack=True)
    assert "--proxy-mode=nftables" in flags
    assert "--masquerade-all=true" in flags


def test_masquerade_all_is_refused_next_to_a_policy_with_an_ip_block() -> None:
    block = {"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "1.2.3.0/24"}}]}]}}
    policies = [
        {"metadata": {"namespace": "shop", "name": "office-only"}, **block},
        {"metadata": {"namespace": "shop", "name": "pods"}, "spec": {"podSelector": {}}},
    ]
    with pytest.raises(BadInput, match=r"ipBlock: shop/office-only; set masquerade_all: false"):
        kube_proxy.refuse_hidden_clients(KubeProxy(masquerade_all=True), policies)
    kube_proxy.refuse_hidden_clients(KubeProxy(), policies)
    kube_proxy.refuse_hidden_clients(KubeProxy(masquerade_all=True), policies[1:])
