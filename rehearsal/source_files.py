"""What stands in the source cluster's nodes before they boot: units and configuration, as text. Pure.

The cluster is what one met on AWS in 2015 and what the exit recognises: kubeadm, flannel VXLAN, kube-proxy in
userspace mode (1.25.16 is the last release that has it). Everything starts by systemd when the node boots.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from inventory.models.secret import Secret
from rehearsal.plan import Machine, Plan

PROGRAMS = "/opt/safe-harbor/bin"
IMAGES = "/opt/safe-harbor/images.tar"
SOCKET = "unix:///run/containerd/containerd.sock"
WORK = "/var/lib/rehearsal"
MULTI_CALL = "kubernetes"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"  # kubeadm writes it: a node that has it is in the cluster
KUBEADM_CONFIG = "/etc/kubernetes/rehearsal.yaml"
TOKEN_LIFE = "15m0s"  # noqa: S105 - how long it lives, not the token


@dataclass(frozen=True)
class HostFacts:
    """What of this machine decides how Kubernetes must be configured in its nodes."""

    cgroup_version: int
    may_raise_limits: bool  # CAP_SYS_RESOURCE


@dataclass(frozen=True)
class Admittance:
    """How a worker gets in: kubeadm's bootstrap token, and by which key it knows the cluster (sha256:HEX)."""

    token: Secret
    ca_hash: str


@dataclass(frozen=True)
class NodeFile:
    """One file of a node."""

    path: str
    text: str
    mode: int = 0o644


def links(names: tuple[str, ...]) -> dict[str, str]:
    """Symbolic links of a node: path -> target."""
    made = {f"/usr/local/bin/{name}": f"{PROGRAMS}/{MULTI_CALL}" for name in names}
    for name in ("containerd", "containerd-shim-runc-v2", "ctr", "etcd", "etcdctl", "flanneld"):
        made[f"/usr/local/bin/{name}"] = f"{PROGRAMS}/{name}"
    made["/usr/local/bin/kube-proxy"] = f"{PROGRAMS}/kube-proxy-1.25"
    for name in ("bridge", "loopback", "host-local", "portmap"):
        made[f"/opt/cni/bin/{name}"] = f"{PROGRAMS}/{name}"
    return made


def units(plan: Plan, machine: Machine, facts: HostFacts) -> dict[str, str]:
    """The units that a node starts at boot. kubeadm starts kubelet the first time."""
    api = f"{plan.aws_nodes[0].address} {plan.api_port}"
    # Tells "too many files" from "fine": kube-proxy's userspace mode raises RLIMIT_NOFILE or ends. Where the
    # machine forbids raising it, the call answers success and the limit stays.
    limits = "" if facts.may_raise_limits else "SystemCallFilter=~setrlimit:0 prlimit64:0\n"
    made = {
        "containerd": _service(
            "containerd",
            f"ExecStart={PROGRAMS}/containerd\nType=notify\nDelegate=yes\nKillMode=process\n",
        ),
        "rehearsal-images": _service(
            "the images of Kubernetes itself",
            f"ExecStart=/usr/local/bin/ctr -n k8s.io images import --local {IMAGES}\n" + _ONCE,
            after="containerd.service",
        ),
        "rehearsal-api": _service(
            "wait for the API server",
            f"ExecStart=/usr/local/sbin/await-port {api}\nTimeoutStartSec=120\n" + _ONCE,
        ),
        "kubelet": _service(
            "kubelet",
            "EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\n"
            f"ExecStart=/usr/local/bin/kubelet --config={KUBELET_CONFIG}"
            " --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf"
            f" --kubeconfig=/etc/kubernetes/kubelet.conf --node-ip={machine.address}\n"
            "Restart=always\nRestartSec=1\nKillMode=process\n",
            after="containerd.service rehearsal-images.service",
            only_if=KUBELET_CONFIG,
        ),
        "flanneld": _service(
            "flanneld",
            f"Environment=NODE_NAME={machine.name}\n"
            "ExecStart=/usr/local/bin/flanneld --kube-subnet-mgr --ip-masq --iface=eth0"
            " --kubeconfig-file=/etc/kubernetes/flannel.kubeconfig --net-config-path=/etc/kube-flannel.json\n"
            "Restart=always\nRestartSec=1\n",
            after="rehearsal-api.service",
        ),
        "rehearsal-cni": _service(
            "the pod network's CNI configuration", "ExecStart=/usr/local/sbin/render-cni\n" + _ONCE
        ),
        "kube-proxy": _service(
            "kube-proxy 1.25.16, userspace mode",
            "ExecStart=/usr/local/bin/kube-proxy --config=/etc/kubernetes/kube-proxy.yaml\n"
            f"Restart=always\nRestartSec=1\n{limits}",
            after="rehearsal-api.service",
        ),
    }
    if machine == plan.aws_nodes[0]:
        made["etcd"] = _service(
            "etcd",
            "ExecStart=/usr/local/bin/etcd --data-dir=/var/lib/etcd --listen-client-urls=http://127.0.0.1:2379"
            " --advertise-client-urls=http://127.0.0.1:2379 --listen-peer-urls=http://127.0.0.1:2380"
            " --unsafe-no-fsync\nType=notify\nRestart=always\n",
        )
        made["rehearsal-cluster"] = _service(
            "kubeadm init",
            "ExecStart=/usr/local/sbin/raise-cluster\nTimeoutStartSec=180\n" + _ONCE,
            after="containerd.service etcd.service rehearsal-images.service",
            only_if=f"!{KUBELET_CONFIG}",
        )
    else:
        made["rehearsal-cluster"] = _service(
            "kubeadm join",
            "ExecStart=/usr/local/sbin/join-cluster\nTimeoutStartSec=180\n" + _ONCE,
            after="containerd.service rehearsal-images.service rehearsal-api.service",
            only_if=f"!{KUBELET_CONFIG}",
        )
    return made


def files(plan: Plan, machine: Machine, facts: HostFacts, admittance: Admittance) -> tuple[NodeFile, ...]:
    """The files of a node, without certificates and units. Those that hold the token are 0600."""
    made = [
        NodeFile("/etc/containerd/config.toml", containerd_config(facts)),
        NodeFile("/etc/kubernetes/kube-proxy.yaml", _yaml(kube_proxy_config(plan, machine))),
        NodeFile(
            "/etc/kube-flannel.json",
            json.dumps({"Network": plan.aws_pod_network, "Backend": {"Type": "vxlan"}}),
        ),
        NodeFile("/usr/local/sbin/await-port", _AWAIT_PORT, 0o755),
        NodeFile("/usr/local/sbin/render-cni", _RENDER_CNI, 0o755),
        NodeFile(f"{WORK}/README", "What the rehearsal did in this node while it booted.\n"),
    ]
    if machine == plan.aws_nodes[0]:
        documents = [cluster_config(plan), init_config(plan, admittance), kubelet_config(facts)]
        workers = " ".join(f"node/{node.name}" for node in plan.aws_nodes)
        made += [
            NodeFile(KUBEADM_CONFIG, yaml.safe_dump_all(documents, sort_keys=False), 0o600),
            NodeFile(
                "/etc/kubernetes/rehearsal-rbac.yaml",
                yaml.safe_dump_all(flannel_rights(), sort_keys=False),
            ),
            NodeFile("/usr/local/sbin/raise-cluster", _RAISE_CLUSTER.replace("@NODES@", workers), 0o755),
        ]
    else:
        api = f"https://{plan.aws_nodes[0].address}:{plan.api_port}"
        made += [
            NodeFile(KUBEADM_CONFIG, _yaml(join_config(plan, machine, admittance)), 0o600),
            NodeFile("/usr/local/sbin/join-cluster", _JOIN_CLUSTER.replace("@API@", api), 0o755),
        ]
    return tuple(made)


def kubelet_config(facts: HostFacts) -> dict[str, Any]:
    """kubelet's configuration; on cgroup v1 it must be told to go on and to leave the node's groups alone."""
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": SOCKET,
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "rotateCertificates": False,
        "staticPodPath": "/etc/kubernetes/manifests",
        "fileCheckFrequency": "1s",
        "nodeStatusUpdateFrequency": "4s",
        "serializeImagePulls": False,
        # This machine's disk is shared by all nodes: its filling is not a node's to act on.
        "evictionHard": {"memory.available": "50Mi"},
    }
    if facts.cgroup_version == 1:
        config |= {
            "failCgroupV1": False,
            "enforceNodeAllocatable": [],
            "localStorageCapacityIsolation": False,
        }
    return config


def cluster_config(plan: Plan) -> dict[str, Any]:
    """kubeadm's ClusterConfiguration: etcd beside it, the public address in the certificate."""
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": f"v{plan.kubernetes_version}",
        "clusterName": "fjordshop-aws",
        "encryptionAlgorithm": "ECDSA-P256",
        "networking": {"podSubnet": plan.aws_pod_network, "serviceSubnet": plan.aws_service_network},
        "apiServer": {"certSANs": [plan.api_public, plan.aws_nodes[0].address]},
        "controllerManager": {"extraArgs": [{"name": "leader-elect", "value": "false"}]},
        "scheduler": {"extraArgs": [{"name": "leader-elect", "value": "false"}]},
        "etcd": {"external": {"endpoints": ["http://127.0.0.1:2379"]}},
    }


def init_config(plan: Plan, admittance: Admittance) -> dict[str, Any]:
    """kubeadm's InitConfiguration for the control plane's node."""
    machine = plan.aws_nodes[0]
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "bootstrapTokens": [
            {
                "token": admittance.token.reveal(),
                "ttl": TOKEN_LIFE,
                "usages": ["signing", "authentication"],
                "groups": ["system:bootstrappers:kubeadm:default-node-token"],
            }
        ],
        "localAPIEndpoint": {"advertiseAddress": machine.address, "bindPort": plan.api_port},
        "nodeRegistration": _registration(machine),
    }


def join_config(plan: Plan, machine: Machine, admittance: Admittance) -> dict[str, Any]:
    """kubeadm's JoinConfiguration for a worker."""
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": f"{plan.aws_nodes[0].address}:{plan.api_port}",
                "token": admittance.token.reveal(),
                "caCertHashes": [admittance.ca_hash],
            }
        },
        "nodeRegistration": _registration(machine),
    }


def _registration(machine: Machine) -> dict[str, Any]:
    return {"name": machine.name, "criSocket": SOCKET, "imagePullPolicy": "Never"}


def kube_proxy_config(plan: Plan, machine: Machine) -> dict[str, Any]:
    """kube-proxy 1.25's configuration; nf_conntrack_max exists in the first network namespace only.

    Its metrics port is on every address, as EKS has it: a doctor without SSH reads the mode there.
    """
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "userspace",
        "hostnameOverride": machine.name,
        "clusterCIDR": plan.aws_pod_network,
        "clientConnection": {"kubeconfig": "/etc/kubernetes/kube-proxy.kubeconfig"},
        "conntrack": {"maxPerCore": 0},
        "metricsBindAddress": "0.0.0.0:10249",
    }


def containerd_config(facts: HostFacts) -> str:
    """containerd 2's configuration (version 3)."""
    restrict = "false" if facts.may_raise_limits else "true"
    return f"""\
version = 3

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = {restrict}

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/opt/cni/bin"]
  conf_dir = "/etc/cni/net.d"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "registry.k8s.io/pause:3.10.2"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "/etc/containerd/certs.d"
"""


def flannel_rights() -> list[dict[str, Any]]:
    """What flanneld may do: read nodes, and write its lease into their status."""
    name = {"name": "flannel"}
    group = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": name,
            "rules": [
                {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
            ],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": name,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", **name},
            "subjects": [{"apiGroup": group, "kind": "User", **name}],
        },
    ]


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False)


def _service(description: str, lines: str, after: str = "", only_if: str = "") -> str:
    wants = (
        f"Wants={after}\nAfter=rehearsal-node.service {after}\n"
        if after
        else "After=rehearsal-node.service\n"
    )
    condition = f"ConditionPathExists={only_if}\n" if only_if else ""
    return (
        f"[Unit]\nDescription={description}\n{wants}StartLimitIntervalSec=0\n{condition}\n"
        f"[Service]\n{lines}\n[Install]\nWantedBy=multi-user.target\n"
    )


_ONCE = "Type=oneshot\nRemainAfterExit=yes\n"

_AWAIT_PORT = """\
#!/bin/bash
until (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; do sleep 0.2; done
"""

# What the flannel CNI plugin does: a bridge over the node's part of the pod network.
_RENDER_CNI = """\
#!/bin/sh -e
until [ -s /run/flannel/subnet.env ]; do sleep 0.1; done
. /run/flannel/subnet.env
# flanneld names the bridge's address; host-local wants the network's. A node's part is always a /24.
subnet=${FLANNEL_SUBNET%.*}.0/${FLANNEL_SUBNET#*/}
mkdir -p /etc/cni/net.d
cat > /etc/cni/net.d/.new <<END
{"cniVersion": "1.0.0", "name": "flannel", "plugins": [
 {"type": "bridge", "bridge": "cni0", "mtu": $FLANNEL_MTU, "isDefaultGateway": true, "hairpinMode": true,
  "ipMasq": false,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$subnet"}]],
           "routes": [{"dst": "$FLANNEL_NETWORK"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
mv /etc/cni/net.d/.new /etc/cni/net.d/10-flannel.conflist
"""

# kubeadm asks for cluster-info every 5 s only, so that it is asked when the answer is there.
_JOIN_CLUSTER = """\
#!/bin/sh -e
exec > /var/lib/rehearsal/cluster.log 2>&1
trap 'code=$?; [ $code = 0 ] || echo $code > /var/lib/rehearsal/failed' EXIT
until curl --silent --cacert /etc/kubernetes/known-ca.crt \\
  @API@/api/v1/namespaces/kube-public/configmaps/cluster-info | grep -q jws-kubeconfig; do sleep 0.3; done
kubeadm join --config /etc/kubernetes/rehearsal.yaml --skip-phases=preflight
rm /etc/kubernetes/rehearsal.yaml
"""

# `kubectl wait --for=create` of several nodes ends at once where two of them are missing.
_RAISE_CLUSTER = """\
#!/bin/sh -e
exec > /var/lib/rehearsal/cluster.log 2>&1
trap 'code=$?; [ $code = 0 ] || echo $code > /var/lib/rehearsal/failed' EXIT
kubeadm init --config /etc/kubernetes/rehearsal.yaml --skip-token-print \\
  --skip-phases=preflight,addon/kube-proxy,addon/coredns,show-join-command
export KUBECONFIG=/etc/kubernetes/admin.conf
kubectl apply -f /etc/kubernetes/rehearsal-rbac.yaml
for node in @NODES@; do kubectl wait --for=create --timeout=60s $node; done
kubectl wait --for=condition=Ready --timeout=60s @NODES@
touch /var/lib/rehearsal/ready
"""
