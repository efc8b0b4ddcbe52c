"""The source cluster on the AWS side's nodes: everything is laid into the nodes, then they boot and raise it.

Two kubeconfigs come of it (0600, in the site folder): the lead's, and one of a user without any rights.
"""

from __future__ import annotations

import time
from pathlib import Path

from rehearsal import cgroups, node_root, nodes
from rehearsal.parts_list import MULTI_CALL
from rehearsal.plan import Machine, Plan
from rehearsal.source_files import IMAGES, WORK, HostFacts, files, links, started_at_boot, units
from rehearsal.source_pki import ClusterAuthority
from rehearsal.state import State
from tasks.drivers.errors import ServiceFailed
from tasks.networks.probe_image import probe_image
from tasks.operations.images_archive import control_plane_images, pause_image, write_archive

_CAP_SYS_RESOURCE = 24


def host_facts(status: str | None = None) -> HostFacts:
    """What this machine lets its nodes do (from /proc/self/status and the cgroup mounts)."""
    text = Path("/proc/self/status").read_text() if status is None else status
    bounding = next(line.split()[1] for line in text.splitlines() if line.startswith("CapBnd:"))
    return HostFacts(cgroups.version(), bool(int(bounding, 16) >> _CAP_SYS_RESOURCE & 1))


def onlooker_kubeconfig(plan: Plan) -> Path:
    """A kubeconfig of a user who is known and may do nothing."""
    return plan.site / "aws-onlooker.kubeconfig"


def start(plan: Plan, state: State, programs: Path) -> None:
    """Boot the AWS side's nodes with the cluster in them; `await_api` and `await_ready` wait for it.

    `programs` holds the parts. Nothing is done where the nodes run already: they keep their authority.
    Raises BadInput where a program of an image is not static.
    """
    if nodes.running(state, plan.aws_nodes):
        return
    authority = ClusterAuthority()
    server = f"https://{plan.api_public}:{plan.api_port}"
    authority.kubeconfig(plan.aws_kubeconfig, server, "migration-lead", "kubeadm:cluster-admins")
    authority.kubeconfig(onlooker_kubeconfig(plan), server, "onlooker")
    archives = write_archives(plan, programs)
    facts = host_facts()

    def furnish(machine: Machine, root: Path) -> None:
        _furnish(plan, machine, root, authority, facts)

    control_plane, workers = plan.aws_nodes[:1], plan.aws_nodes[1:]
    for machines, archive in ((control_plane, archives[0]), (workers, archives[1])):
        binds = {programs: "/opt/safe-harbor/bin", archive: IMAGES}
        nodes.boot(plan, state, machines, binds=binds, furnish=furnish, wait=False)


def write_archives(plan: Plan, programs: Path) -> tuple[Path, Path]:
    """The image archives of the control plane's node and of the workers."""
    folder = plan.state / "images"
    folder.mkdir(parents=True, exist_ok=True)
    everywhere = (pause_image(programs), probe_image(programs))
    control_plane = (*control_plane_images(plan.kubernetes_version, programs), *everywhere)
    made = (folder / "control-plane.tar", folder / "worker.tar")
    for file, images in zip(made, (control_plane, everywhere), strict=True):
        with file.open("wb") as out:
            write_archive(out, images)
    return made


def await_api(plan: Plan, state: State, within_s: float = 60.0) -> None:
    """Wait until the API server takes orders. Raises ServiceFailed with the end of kubeadm's log."""
    _await(plan, state, "api", within_s)


def await_ready(plan: Plan, state: State, within_s: float = 60.0) -> None:
    """Wait until every node of the cluster is Ready. Raises ServiceFailed."""
    _await(plan, state, "ready", within_s)


def _await(plan: Plan, state: State, mark: str, within_s: float) -> None:
    machine = plan.aws_nodes[0]
    work = node_root.folder(plan, machine) / "root" / WORK.lstrip("/")
    end = time.monotonic() + within_s
    while not (work / mark).exists():
        late = time.monotonic() > end
        if late or (work / "failed").exists() or not state.process(machine.name).alive():
            log = work / "cluster.log"
            said = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
            why = f"is not {mark} after {within_s:.0f} s" if late else "did not come up"
            raise ServiceFailed("the source cluster", f"{why}\n{said or state.log_tail(machine.name)}")
        time.sleep(0.1)


def _furnish(plan: Plan, machine: Machine, root: Path, authority: ClusterAuthority, facts: HostFacts) -> None:
    control_plane = machine == plan.aws_nodes[0]
    for file in files(plan, machine, facts):
        path = root / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
        path.chmod(file.mode)
    for link, target in links(MULTI_CALL).items():
        path = root / link.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    made = units(plan, machine, facts)
    folder = root / "etc/systemd/system"
    for name, text in made.items():
        (folder / f"{name}.service").write_text(text)
    for name in started_at_boot(plan, machine, tuple(made)):
        (folder / "multi-user.target.wants" / f"{name}.service").symlink_to(
            f"/etc/systemd/system/{name}.service"
        )
    kubernetes = root / "etc/kubernetes"
    inside = f"https://{plan.aws_nodes[0].address}:{plan.api_port}"
    authority.kubeconfig(kubernetes / "kube-proxy.kubeconfig", inside, "system:kube-proxy")
    authority.kubeconfig(kubernetes / "flannel.kubeconfig", inside, "flannel")
    if control_plane:
        authority.write(kubernetes / "pki")
    else:
        (kubernetes / "pki").mkdir(parents=True, exist_ok=True)
        (kubernetes / "pki/ca.crt").write_bytes(authority.issued.certificate)
        user = f"system:node:{machine.name}"
        authority.kubeconfig(kubernetes / "kubelet.conf", inside, user, "system:nodes")
    registry = plan.registry_host
    trust = root / "etc/containerd/certs.d" / registry / "hosts.toml"
    trust.parent.mkdir(parents=True, exist_ok=True)
    trust.write_text(f'server = "https://{registry}"\nca = "/etc/containerd/certs.d/{registry}/ca.crt"\n')
    if plan.ca_file.exists():
        (trust.parent / "ca.crt").write_bytes(plan.ca_file.read_bytes())
