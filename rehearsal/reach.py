"""How a person reaches each part of a site that is up."""

from __future__ import annotations

from rehearsal.site import Site


def how_to_reach(site: Site, ui_url: str = "") -> list[str]:
    """Lines to copy: clusters, nodes, DNS, shop, databases, the UI where it is up, and the way to end it."""
    plan = site.plan
    kubectl = site.programs / "kubectl"
    ssh = f"ssh -i {plan.ssh_key} -o UserKnownHostsFile={plan.known_hosts}"
    oslo = [f"node     {ssh} root@{node.address}   # {node.name}" for node in plan.oslo_nodes]
    return [
        f"site     {site.site_file}   (safe-harbor run rehearsal)",
        f"source   {kubectl} --kubeconfig {plan.aws_kubeconfig} get pods -A",
        f"target   {kubectl} --kubeconfig {plan.oslo_kubeconfig} get pods -A   # once it is prepared",
        *oslo,
        f"dns      kdig @{plan.dns_address} {plan.shop_name}",
        f"shop     curl http://{plan.elb_public}/   (through the source's edge)",
        f"rds      mariadb --socket {plan.state / 'mariadb' / 'server.sock'} {plan.database}",
        f"aws api  http://{plan.moto_public}:{plan.moto_port}   (account {plan.account})",
        *([f"ui       {ui_url}"] if ui_url else []),
        "end      safe-harbor rehearse down",
    ]
