"""How a person reaches each part of a site that is up."""

from __future__ import annotations

from rehearsal.plan import Plan
from rehearsal.site import Site


def how_to_reach(site: Site) -> list[str]:
    """Lines to copy: clusters, nodes, DNS, shop, databases, and the way to end it."""
    plan = site.plan
    kubectl = site.programs / "kubectl"
    ssh = f"ssh -i {plan.ssh_key} -o UserKnownHostsFile={plan.known_hosts}"
    oslo = [f"node     {ssh} root@{node.address}   # {node.name}" for node in plan.oslo_nodes]
    return [
        f"site     {site.site_file}   (safe-harbor run rehearsal)",
        f"source   {kubectl} --kubeconfig {plan.aws_kubeconfig} get pods -A",
        f"target   {kubectl} --kubeconfig {plan.oslo_kubeconfig} get pods -A   # once it is prepared",
        *oslo,
        f"dns      dig @{plan.dns_address} {plan.shop_name}",
        f"shop     curl http://{plan.elb_public}/   (through the source's edge)",
        f"rds      mariadb --socket {plan.state / 'mariadb' / 'server.sock'} {plan.database}",
        *_aws(plan),
        "end      safe-harbor rehearse down",
    ]


def _aws(plan: Plan) -> list[str]:
    return [f"aws api  http://{plan.moto_public}:{plan.moto_port}   (account {plan.account})"]
