"""kubeadm: the first control plane, and the nodes that join it.

The cluster's authorities are made on the lead's machine, so a node knows beforehand by which key to recognise
the cluster. The bootstrap token lives for minutes and travels on stdin, never in an argument or a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from inventory.models.change import Change, PutFile, RemoveFile, Run
from inventory.models.cluster import Node, Role
from inventory.models.command import Command, Script
from tasks.facts.files import FileFact
from tasks.operations.containerd import SOCKET
from tasks.operations.files import Wanted
from tasks.operations.preparation import API_PORT, BIN, Preparation
from tasks.operations.units import APPLIED

KUBERNETES = "/etc/kubernetes"
ADMIN = f"{KUBERNETES}/admin.conf"
KUBELET = f"{KUBERNETES}/kubelet.conf"
JOINED = Wanted(f"{APPLIED}/kubeadm", b"this node is part of the cluster\n")
TOKEN_LIFE = "15m0s"  # noqa: S105 - how long it lives, not the token
_API = "kubeadm.k8s.io/v1beta4"
# kubeadm gives up on an API server after a minute; one on a slow or busy machine is still starting then.
_TIMEOUTS = {"kubernetesAPICall": "4m0s"}
_WITHIN_S = 600.0
_KUBECTL = (f"{BIN}/kubectl", "--kubeconfig", ADMIN, "--namespace", "kube-system")
_QUIET = ("--ignore-not-found", "--wait=false")

# $1 the folder of programs, then kubeadm's words; the configuration comes on stdin. kubeadm's last line is
# only advice, so what it complained about is taken from before it.
_KUBEADM = """
PATH=$1:$PATH; shift
said=$(cat | kubeadm "$@" 2>&1) && exit 0
printf '%s\\n' "$said" | grep -v 'stack trace' | grep -E 'rror|ERROR|fail|time' | tail -n 4 | tr '\\n' ' ' >&2
exit 1
"""


def _kubeadm(*words: str, stdin: str, timeout_s: float) -> Run:
    return Run(Script.of(_KUBEADM, BIN, *words), stdin.encode(), timeout_s)


def authority_files(preparation: Preparation) -> tuple[Wanted, ...]:
    """What kubeadm finds on a control-plane node instead of making its own."""
    pki = preparation.pki
    folder = f"{KUBERNETES}/pki"
    found = [
        Wanted(f"{folder}/sa.pub", pki["sa"].certificate),
        Wanted(f"{folder}/sa.key", pki["sa"].key, 0o600),
        Wanted(f"{folder}/etcd/ca.crt", pki["etcd-ca"].certificate),
    ]
    for name in ("ca", "front-proxy-ca", "apiserver-etcd-client"):
        found += [
            Wanted(f"{folder}/{name}.crt", pki[name].certificate),
            Wanted(f"{folder}/{name}.key", pki[name].key, 0o600),
        ]
    return tuple(found)


def _registration(node: Node, ignored: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {
        "name": node.name,
        "criSocket": SOCKET,
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": [{"name": "node-ip", "value": str(node.address)}],
        "ignorePreflightErrors": list(ignored),
    }
    if Role.WORKER in node.roles:
        found["taints"] = []  # a control plane that is also a worker takes pods
    return found


def init_configuration(preparation: Preparation, node: Node, ignored: Sequence[str]) -> str:
    """kubeadm's configuration of the first control plane, JSON documents; for stdin: it holds the token."""
    cluster = preparation.site.target.cluster
    folder = f"{KUBERNETES}/pki"
    init = {
        "apiVersion": _API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [_token(preparation)],
        "localAPIEndpoint": {"advertiseAddress": str(node.address), "bindPort": API_PORT},
        "nodeRegistration": _registration(node, ignored),
        "timeouts": _TIMEOUTS,
    }
    names = {name for plane in preparation.planes for name in (plane.name, str(plane.address))}
    names.add(preparation.endpoint.rpartition(":")[0])
    configuration = {
        "apiVersion": _API,
        "kind": "ClusterConfiguration",
        "clusterName": cluster.name,
        "kubernetesVersion": f"v{cluster.version}",
        "encryptionAlgorithm": "ECDSA-P256",
        "controlPlaneEndpoint": preparation.endpoint,
        "apiServer": {"certSANs": sorted({*names, "127.0.0.1", "localhost"})},
        "controllerManager": {
            "extraArgs": [
                # flannel hands out the pods' subnets by itself, out of etcd.
                {"name": "allocate-node-cidrs", "value": "false"},
                {"name": "cluster-cidr", "value": str(cluster.pod_cidr)},
            ]
        },
        "networking": {"serviceSubnet": str(cluster.service_cidr), "podSubnet": str(cluster.pod_cidr)},
        "etcd": {
            "external": {
                "endpoints": list(preparation.etcd_endpoints),
                "caFile": f"{folder}/etcd/ca.crt",
                "certFile": f"{folder}/apiserver-etcd-client.crt",
                "keyFile": f"{folder}/apiserver-etcd-client.key",
            }
        },
        # Stood up and proved by the network stage, as systemd units.
        "proxy": {"disabled": True},
        "dns": {"disabled": True},
    }
    return "\n---\n".join(json.dumps(document) for document in (init, configuration))


def join_configuration(preparation: Preparation, node: Node, ignored: Sequence[str]) -> str:
    """kubeadm's configuration of a joining node. It holds the token: only for stdin."""
    join: dict[str, object] = {
        "apiVersion": _API,
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": preparation.endpoint,
                "token": preparation.token.reveal(),
                "caCertHashes": [preparation.pki.ca_hash],
            }
        },
        "nodeRegistration": _registration(node, ignored),
        "timeouts": _TIMEOUTS,
    }
    if Role.CONTROL_PLANE in node.roles:
        join["controlPlane"] = {
            "localAPIEndpoint": {"advertiseAddress": str(node.address), "bindPort": API_PORT}
        }
    return json.dumps(join)


def _token(preparation: Preparation) -> dict[str, object]:
    return {
        "token": preparation.token.reveal(),
        "ttl": TOKEN_LIFE,
        "usages": ["signing", "authentication"],
        "groups": ["system:bootstrappers:kubeadm:default-node-token"],
    }


def ignored_errors(*, container: bool, cgroup: int, swap: bool, begun: bool) -> tuple[str, ...]:
    """Preflight errors that do not count on this host, by name.

    A container has no kernel configuration to read; a run that was killed has left files and open ports.
    """
    found = ["SystemVerification"] if container or cgroup == 1 else []
    if swap:
        found.append("Swap")
    if begun:
        found += [f"FileAvailable--etc-kubernetes-manifests-kube-{name}.yaml" for name in _STATIC]
        found += ["FileAvailable--etc-kubernetes-kubelet.conf", "FileAvailable--etc-kubernetes-pki-ca.crt"]
        found += ["FileAvailable--etc-kubernetes-bootstrap-kubelet.conf"]
        found += [f"Port-{port}" for port in (API_PORT, 10250, 10257, 10259)]
    return tuple(found)


_STATIC = ("apiserver", "controller-manager", "scheduler")


def is_joined(fact: Mapping[str, FileFact]) -> bool:
    """Whether kubeadm ended well on this node: its own files are there, and our mark after it."""
    return fact[JOINED.path].sha256 == JOINED.sha256 and fact[KUBELET].exists


def plan_init(
    preparation: Preparation, node: Node, fact: Mapping[str, FileFact], ignored: Sequence[str]
) -> list[Change]:
    """`kubeadm init` on the first control plane, where it has not ended well yet."""
    if is_joined(fact):
        return []
    return [
        Change(
            node.name,
            "kubeadm init",
            f"the control plane of {preparation.site.target.cluster.name}",
            "begun" if fact[KUBELET].exists else "",
            f"API server at {preparation.endpoint}",
            (
                _kubeadm(
                    "init",
                    "--config=/dev/stdin",
                    "--skip-token-print",
                    stdin=init_configuration(preparation, node, ignored),
                    timeout_s=_WITHIN_S,
                ),
                PutFile(JOINED.path, JOINED.content, JOINED.mode),
            ),
            _reset(),
        )
    ]


def plan_token(preparation: Preparation, plane: str, waiting: Sequence[str]) -> list[Change]:
    """A bootstrap token for the nodes that are going to join, made by the control plane `plane`."""
    if not waiting:
        return []
    document = {
        "apiVersion": _API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [_token(preparation)],
    }
    token_id = preparation.token.reveal().partition(".")[0]
    return [
        Change(
            plane,
            "kubeadm bootstrap token",
            f"{', '.join(waiting)} will join; it is good for {TOKEN_LIFE}",
            "",
            "a token",
            (
                # init has made it with the same id in this very run; only the id, which is public, is shown.
                Run(Command.of(*_KUBECTL, "delete", "secret", f"bootstrap-token-{token_id}", *_QUIET)),
                _kubeadm(
                    "token",
                    "create",
                    "--kubeconfig",
                    ADMIN,
                    "--config=/dev/stdin",
                    stdin=json.dumps(document),
                    timeout_s=_WITHIN_S,
                ),
                # A join that comes before the token's signature waits for 5 s before it looks again.
                Run(
                    Command.of(
                        *_KUBECTL[:3],
                        "--namespace=kube-public",
                        "wait",
                        f"--for=jsonpath={{.data.jws-kubeconfig-{token_id}}}",
                        "--timeout=240s",
                        "configmap/cluster-info",
                    ),
                    timeout_s=_WITHIN_S,
                ),
            ),
        )
    ]


def plan_join(
    preparation: Preparation, node: Node, fact: Mapping[str, FileFact], ignored: Sequence[str]
) -> list[Change]:
    """`kubeadm join`, where it has not ended well yet."""
    if is_joined(fact):
        return []
    return [
        Change(
            node.name,
            "kubeadm join",
            f"a node of {preparation.site.target.cluster.name}",
            "begun" if fact[KUBELET].exists else "",
            f"joined to {preparation.endpoint}",
            (
                _kubeadm(
                    "join",
                    "--config=/dev/stdin",
                    stdin=join_configuration(preparation, node, ignored),
                    timeout_s=_WITHIN_S,
                ),
                PutFile(JOINED.path, JOINED.content, JOINED.mode),
            ),
            _reset(),
        )
    ]


def _reset() -> tuple[Run | RemoveFile, ...]:
    words = ("reset", "--force", f"--cri-socket={SOCKET}")
    return (_kubeadm(*words, stdin="", timeout_s=180.0), RemoveFile(JOINED.path))


def joining_paths() -> tuple[str, ...]:
    """What tells whether a node has joined, to ask for."""
    return (JOINED.path, KUBELET)
