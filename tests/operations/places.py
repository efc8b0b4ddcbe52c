"""A site and a preparation for tests: three nodes, keys made once, programs that are only names."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from inventory.models.secret import Secret
from inventory.models.site import Site
from inventory.profile_files import load_profile
from tasks.operations.pki import complete
from tasks.operations.preparation import LocalFile, Preparation

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TOKEN = "abcdef.0123456789abcdef"
PROGRAMS = [
    *("kubernetes", "pause", "containerd", "containerd-shim-runc-v2", "ctr", "etcd", "etcdctl", "etcdutl"),
    *("flanneld", "bridge", "loopback", "host-local", "portmap"),
]


def site(**cluster: Any) -> Site:
    edge = {"runtime": "tcp://10.60.0.11:9999", "address": "10.60.0.11", "url": "http://10.60.0.11"}
    database = {
        "host": "10.60.0.11",
        "admin_user": "admin",
        "admin_password_file": "/s",
        "replication_password_file": "/s",
        "app_password_file": "/s",
        "ca_file": "/ca.crt",
    }
    both: dict[str, Any] = {
        "edge": edge,
        "database": database,
        "registry": {"address": "10.60.0.11:5000", "ca_file": "/ca.crt"},
        "bucket": {"name": "media", "credentials_file": "/s"},
    }
    nodes = [
        {"name": "oslo-1", "address": "10.60.0.11", "roles": ["control-plane", "edge", "data"]},
        {"name": "oslo-2", "address": "10.60.0.12"},
        {"name": "oslo-3", "address": "10.60.0.13"},
    ]
    declared = {
        "name": "oslo",
        "version": "1.37.1",
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.96.0.0/16",
        "kubeconfig": "/k",
        "programs": "/programs",
        **cluster,
    }
    return Site.model_validate(
        {
            "schema": "safe-harbor/site/v1",
            "name": "oslo",
            "controller": "Fjordshop AS",
            "state": "/state",
            "source": {
                "aws": {"account": "123456789012", "credentials_file": "/s"},
                "kubeconfig": "/k",
                **both,
            },
            "target": {"nodes": nodes, "ssh": {"identity_file": "/id"}, "cluster": declared, **both},
            "dns": {"server": "s", "zone": "z", "name": "n", "tsig_key_name": "k", "tsig_key_file": "/s"},
            "replay": {"capture": "/c"},
        }
    )


@cache
def preparation() -> Preparation:
    declared = site()
    planes = {node.name: node.address for node in declared.target.nodes[:1]}
    return Preparation(
        site=declared,
        profile=load_profile("article-2016"),
        programs={
            name: LocalFile(f"/programs/{name}", f"{number:064x}") for number, name in enumerate(PROGRAMS)
        },
        archives={
            "pause": LocalFile("/a/pause.tar", "a" * 64),
            "control-plane": LocalFile("/a/cp.tar", "b" * 64),
        },
        pki=complete({}, planes, NOW),
        registry_ca=b"-----BEGIN CERTIFICATE-----\n",
        token=Secret(TOKEN),
    )
