"""Programs on a node: /opt/safe-harbor/bin with links in /usr/local/bin, CNI plugins in /opt/cni/bin.

Where the lead's folder has the multi-call program `kubernetes`, the Kubernetes programs are links to it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.errors import BadInput
from inventory.models.change import Change, PutProgram, RemoveFile, Run
from inventory.models.cluster import Node, Role
from inventory.models.command import Script
from tasks.facts.files import FileFact
from tasks.operations.images_archive import MULTI_CALL
from tasks.operations.preparation import BIN, Preparation

CNI = "/opt/cni/bin"
LINKS = "/usr/local/bin"
KUBERNETES = ("kubeadm", "kubelet", "kubectl", "kube-proxy")
CONTAINERD = ("containerd", "containerd-shim-runc-v2", "ctr")
NETWORK = ("flanneld",)
PLUGINS = ("bridge", "loopback", "host-local", "portmap")
ETCD = ("etcd", "etcdctl", "etcdutl")
# What a person types or another unit names, so linked into LINKS.
_SHOWN = ("kubeadm", "kubelet", "kubectl", "kube-proxy", "flanneld", "ctr", "etcdctl", "etcdutl")

# A link is made under a temporary name and renamed: there is no moment without it.
_LINK = 'mkdir -p "$(dirname "$2")" && ln -sfn -- "$1" "$2.safe-harbor" && mv -fT -- "$2.safe-harbor" "$2"'


@dataclass(frozen=True)
class Layout:
    """What a node shall have: path -> name in the lead's folder, and link -> target."""

    programs: Mapping[str, str]
    links: Mapping[str, str]

    @property
    def paths(self) -> tuple[str, ...]:
        """All of its paths, to ask for."""
        return (*self.programs, *self.links)


def layout(node: Node, available: Sequence[str]) -> Layout:
    """The layout of this node. Raises BadInput, naming them, where the lead's folder lacks programs."""
    plane = Role.CONTROL_PLANE in node.roles
    multi = MULTI_CALL in available
    own = (*CONTAINERD, *NETWORK, *(ETCD if plane else ()), *((MULTI_CALL,) if multi else KUBERNETES))
    missing = sorted({*own, *PLUGINS} - set(available))
    if missing:
        raise BadInput(f"the folder of the cluster's programs lacks {', '.join(missing)}")
    programs = {f"{BIN}/{name}": name for name in own} | {f"{CNI}/{name}": name for name in PLUGINS}
    links = {f"{BIN}/{name}": MULTI_CALL for name in KUBERNETES} if multi else {}
    shown = [name for name in _SHOWN if plane or name not in ETCD]
    links |= {f"{LINKS}/{name}": f"{BIN}/{name}" for name in shown}
    return Layout(programs, links)


def plan(preparation: Preparation, node: Node, fact: Mapping[str, FileFact]) -> list[Change]:
    """A change for every program and link that is not as it should be."""
    wanted = layout(node, tuple(preparation.programs))
    changes = []
    for path, name in wanted.programs.items():
        local = preparation.programs[name]
        there = fact[path]
        if there.exists and there.sha256 == local.sha256 and there.mode == 0o755:
            continue
        after = f"sha256 {local.sha256[:12]}, mode 755"
        put = PutProgram(path, local.path, local.sha256)
        why = "a program of the cluster"
        undo = () if there.exists else (RemoveFile(path),)
        changes.append(Change(node.name, f"program {path}", why, str(there), after, (put,), undo))
    for path, target in wanted.links.items():
        there = fact[path]
        if there.link == target:
            continue
        changes.append(
            Change(
                node.name,
                f"link {path}",
                f"so that {posixpath.basename(path)} is found",
                str(there),
                f"link to {target}",
                (Run(Script.of(_LINK, target, path)),),
                () if there.exists else (RemoveFile(path),),
            )
        )
    return changes


def digests(preparation: Preparation, *names: str) -> dict[str, str]:
    """Path -> SHA-256 of these programs, for the services that run them."""
    multi = MULTI_CALL in preparation.programs
    found = {}
    for name in names:
        held = MULTI_CALL if multi and name in KUBERNETES else name
        found[f"{BIN}/{name}"] = preparation.programs[held].sha256
    return found
