"""How a person reaches each part of a site that is up."""

from __future__ import annotations

from pathlib import Path

from rehearsal.plan import Plan


def how_to_reach(plan: Plan, ui_url: str = "") -> list[str]:
    """Lines to copy: clusters, nodes, DNS, shop, databases, the UI where it is up, and the way to end it.

    Of a deep site: its KVM hosts and the cluster, as it has no AWS side. `link_kubectl` has been called.
    """
    lines = _deep(plan) if plan.kvm_hosts else _whole(plan)
    return [*lines, *([f"ui       {ui_url}"] if ui_url else []), "end      safe-harbor rehearse down"]


def link_kubectl(plan: Plan, programs: Path) -> None:
    """Put `plan.kubectl` there: the folder of programs has Kubernetes as one, which goes by its name."""
    plan.kubectl.unlink(missing_ok=True)
    plan.kubectl.symlink_to(programs / "kubernetes")


def _whole(plan: Plan) -> list[str]:
    return [
        f"site     {plan.site_file}   (safe-harbor run rehearsal)",
        f"source   {plan.kubectl} --kubeconfig {plan.aws_kubeconfig} get pods -A",
        _target(plan),
        *(f"node     {_ssh(plan)} root@{node.address}   # {node.name}" for node in plan.oslo_nodes),
        f"dns      kdig @{plan.dns_address} {plan.shop_name}",
        f"shop     curl http://{plan.elb_public}/   (through the source's edge)",
        f"rds      mariadb --socket {plan.state / 'mariadb' / 'server.sock'} {plan.database}",
        f"aws api  http://{plan.moto_public}:{plan.moto_port}   (account {plan.account})",
    ]


def _deep(plan: Plan) -> list[str]:
    return [
        f"site     {plan.site_file}",
        _target(plan),
        *(
            f"host     {_ssh(plan)} -t root@{host.address} virsh list --all   # {host.name}"
            for host in plan.kvm_hosts
        ),
    ]


def _target(plan: Plan) -> str:
    return f"target   {plan.kubectl} --kubeconfig {plan.oslo_kubeconfig} get pods -A   # once it is prepared"


def _ssh(plan: Plan) -> str:
    return f"ssh -i {plan.ssh_key} -o UserKnownHostsFile={plan.known_hosts}"
