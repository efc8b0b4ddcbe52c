"""The site file of the rehearsal, generated from the plan; `load_site` must take it as it takes any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from inventory.load import load_site
from inventory.models.site import Site
from rehearsal.plan import Plan
from rehearsal.services.account import CLUSTER_TAG
from rehearsal.services.aws_api import endpoint_url
from rehearsal.services.certificates import pair
from rehearsal.services.database import ADMIN_USER, APP_USER, REPLICATION_USER
from rehearsal.services.files import AWS_CREDENTIALS, OSLO_CREDENTIALS, TSIG_KEY, write_private
from rehearsal.services.nameserver import TSIG_ALGORITHM, TSIG_NAME, TTL_S
from rehearsal.services.statements import processing

WAIVER_DAYS = 30
APPROVER = "The rehearsal"
_HEADING = (
    "# Written by `safe-harbor rehearse`: the site of the rehearsal. It holds no secret, only their files.\n"
)


def write_site_file(plan: Plan, programs: Path, out: Path) -> Site:
    """Write `plan.site`/site.yaml and return it as `load_site` reads it. Raises BadInput where it refuses.

    `programs` is the folder of the built programs, `out` becomes the site's state folder. Files that stages
    write later (the target's kubeconfig, the capture) need not be there.
    """
    path = plan.site_file
    today = datetime.now(UTC).date()
    content = declaration(plan, programs, out)
    content["processing"] = processing(plan, APPROVER, today, today + timedelta(days=WAIVER_DAYS))
    text = _HEADING + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_private(path, text.encode())
    return load_site(path, check_files=False)


def declaration(plan: Plan, programs: Path, out: Path) -> dict[str, Any]:
    """The content of the site file."""
    expires = (datetime.now(UTC) + timedelta(days=WAIVER_DAYS)).date()
    return {
        "schema": "safe-harbor/site/v1",
        "name": "rehearsal",
        "controller": "Fjordshop AS",
        "profile": "article-2016",
        "policy": "safe-harbor-2015",
        "state": str(out),
        "source": _source(plan),
        "target": _target(plan, programs),
        "dns": {
            "server": plan.dns_address,
            "port": plan.dns_port,
            "zone": plan.zone,
            "name": plan.shop_name,
            "ttl_s": TTL_S,
            "cutover_ttl_s": 2,
            "tsig_key_name": TSIG_NAME,
            "tsig_key_file": _secret(plan, TSIG_KEY),
            "tsig_algorithm": TSIG_ALGORITHM,
        },
        "workload": {"namespaces": ["shop"], "node_port": plan.node_port},
        "replay": {
            "capture": str(plan.capture),
            "rate_rps": 500.0,
            "requests_per_round": 5000,
            "rounds": 12,
            "connections": 256,  # both sides may stall for half a second without a backlog
            "seed": 1,
            "server_timing": "app",  # the shop states it
            "answers": {"requests": 60},
        },
        "latency": {
            # Both sides share two processors with everything else: below it they differ by that alone.
            "server_floor_ms": 150.0,
            # Bounds of a machine that does everything at once, not those of a carrier.
            "exchanges": [
                {"name": name, "address": address, "max_min_ms": 2.0, "max_p99_ms": 200.0}
                for name, address in plan.exchanges
            ],
        },
        "capacity": {
            "step_s": 4.0,
            "most_factor": 2.0,
            "max_steal": 0.9,  # in a container it is that of the machine beneath it
        },
        "cutover": {
            "steps_percent": [1, 10, 50, 100],
            "step_hold_s": 4.0,
            "soak_s": 5.0,
        },
        "approval": {
            "approver": APPROVER,
            "reason": "A rehearsal on this machine, with invented customers and data.",
        },
        "waivers": [
            {
                "check": "ADM-VIRT",
                "subject": "*",
                "reason": "The rehearsal's nodes are containers that share this machine's kernel.",
                "approver": APPROVER,
                "expires": expires,
            }
        ],
    }


def _source(plan: Plan) -> dict[str, Any]:
    api = endpoint_url(plan)
    credentials = _secret(plan, AWS_CREDENTIALS)
    return {
        "aws": {
            "account": plan.account,
            "home_region": plan.region,
            "endpoint_url": api,
            "credentials_file": credentials,
            "tags": {CLUSTER_TAG["Key"]: CLUSTER_TAG["Value"]},  # its network has no other name in this file
        },
        "kubeconfig": str(plan.aws_kubeconfig),
        "edge": {
            "runtime": f"tcp://{plan.elb_public}:{plan.edge_runtime_port}",
            "address": plan.elb_public,
            "url": f"http://{plan.elb_public}",
        },
        "database": {
            "host": plan.rds_public,
            **_accounts(plan, "rds"),
            "reachable_as": f"{plan.rds_public}:{plan.mariadb_port}",
            "seen_as": [plan.oslo_gateway],  # the link's end there
        },
        "registry": {"address": plan.registry_host, "ca_file": str(plan.ca_file)},
        "bucket": {
            "name": plan.bucket,
            "endpoint_url": api,
            "region": plan.region,
            "credentials_file": credentials,
            "url": f"http://{plan.moto_private}:{plan.moto_port}/{plan.bucket}",
        },
        "networks": [plan.aws_network, plan.aws_pod_network, plan.aws_service_network],
    }


def _target(plan: Plan, programs: Path) -> dict[str, Any]:
    oslo = plan.oslo_edge.address
    return {
        "nodes": [
            {
                "name": node.name,
                "address": node.address,
                "roles": ["control-plane", "edge", "data"] if node == plan.oslo_edge else ["worker"],
                "interface": "eth0",
            }
            for node in plan.oslo_nodes
        ],
        "underlay": plan.oslo_network,
        "ssh": {"identity_file": str(plan.ssh_key), "known_hosts": str(plan.known_hosts)},
        "cluster": {
            "name": "oslo",
            "version": plan.kubernetes_version,
            "pod_cidr": plan.oslo_pod_network,
            "service_cidr": plan.oslo_service_network,
            "kubeconfig": str(plan.oslo_kubeconfig),
            "programs": str(programs),
        },
        "edge": {
            "runtime": f"ssh://{plan.oslo_edge.name}/run/haproxy/admin.sock",
            "address": oslo,
            "url": f"http://{oslo}",
        },
        "database": {
            "host": oslo,
            **_accounts(plan, "oslo"),
            "reachable_as": f"{plan.oslo_database_from_aws}:{plan.mariadb_port}",
            "seen_as": [plan.aws_gateway],
            **_server(plan, "oslo-database"),
        },
        "registry": {
            "address": f"{oslo}:{plan.registry_port}",
            "ca_file": str(plan.ca_file),
            **_server(plan, "oslo-registry"),
        },
        "bucket": {
            "name": plan.bucket,
            "endpoint_url": f"https://{oslo}:{plan.objects_port}",
            "region": plan.region,
            "credentials_file": _secret(plan, OSLO_CREDENTIALS),
            "ca_file": str(plan.ca_file),
            **_server(plan, "oslo-objects"),
            "url": f"https://{oslo}:{plan.objects_port}/{plan.bucket}",
        },
    }


def _accounts(plan: Plan, side: str) -> dict[str, Any]:
    return {
        "port": plan.mariadb_port,
        "name": plan.database,
        "admin_user": ADMIN_USER,
        "admin_password_file": _secret(plan, f"{side}-admin.password"),
        "replication_user": REPLICATION_USER,
        "replication_password_file": _secret(plan, f"{side}-replica.password"),
        "app_user": APP_USER,
        "app_password_file": _secret(plan, "shop-database.password"),
        "ca_file": str(plan.ca_file),
    }


def _server(plan: Plan, name: str) -> dict[str, Any]:
    """The certificate that `prepare` installs there."""
    files = pair(plan, name)
    return {"certificate_file": str(files.certificate), "key_file": str(files.key)}


def _secret(plan: Plan, name: str) -> str:
    return str(plan.secrets / name)
