"""kubelet: its unit, and the settings that are this host's own.

kubeadm writes /var/lib/kubelet/config.yaml, the same for all nodes; what depends on the host stands in a
drop-in that kubelet merges over it, so a host may change without kubeadm.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from inventory.models.cluster import Role
from tasks.facts.memory import Memory
from tasks.operations.files import Wanted
from tasks.operations.preparation import BIN, Preparation
from tasks.operations.programs import digests
from tasks.operations.reserved import reserved
from tasks.operations.units import Service

CONFIG = "/var/lib/kubelet/config.yaml"  # kubeadm's; before it is there, kubelet has nothing to start with
DROP_INS = "/etc/kubernetes/kubelet.conf.d"

_UNIT = """[Unit]
Description=kubelet (safe-harbor)
After=containerd.service network-online.target
Wants=network-online.target
ConditionPathExists={config}
StartLimitIntervalSec=0

[Service]
Environment=PATH={bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart={bin}/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \\
  --kubeconfig=/etc/kubernetes/kubelet.conf --config={config} --config-dir={drop_ins} $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""


def settings(
    preparation: Preparation, memory: Memory, cgroup: int, roles: Collection[Role] = ()
) -> dict[str, object]:
    """The drop-in's content for a host with this memory, cgroup version and roles."""
    found: dict[str, object] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "maxPods": preparation.site.target.cluster.max_pods,
        "cgroupDriver": "systemd" if cgroup == 2 else "cgroupfs",
        "serializeImagePulls": False,
        **reserved(memory.total_kib // 1024, memory.processors, roles).settings(),
    }
    if cgroup == 1:
        # kubelet refuses the older hierarchy by default, and cannot enforce on it what it need not.
        found |= {
            "failCgroupV1": False,
            "enforceNodeAllocatable": [],
            "localStorageCapacityIsolation": False,
        }
    if memory.swaps:
        found["failSwapOn"] = False  # admission (ADM-SWAP) has refused the host, or was waived by name
    return found


def service(
    preparation: Preparation,
    memory: Memory,
    cgroup: int,
    roles: Collection[Role] = (),
    *,
    configured: bool,
) -> Service:
    """kubelet as it shall run; `configured` says whether kubeadm has been here, so that it can run at all."""
    content = json.dumps(settings(preparation, memory, cgroup, roles), indent=2).encode() + b"\n"
    return Service(
        "kubelet.service",
        _UNIT.format(bin=BIN, config=CONFIG, drop_ins=DROP_INS),
        (Wanted(f"{DROP_INS}/50-safe-harbor.conf", content),),
        digests(preparation, "kubelet"),
        starts=configured,
    )
