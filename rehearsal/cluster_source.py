"""The source cluster on the AWS side's nodes: everything is laid into the nodes, then they boot and raise it.

Two kubeconfigs come of it (0600, in the site folder): the lead's, and one of a user without any rights.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from inventory.models.secret import Secret
from rehearsal import cgroups, node_root, nodes
from rehearsal.parts_list import MULTI_CALL
from rehearsal.plan import Machine, Plan
from rehearsal.source_files import IMAGES, WORK, Admittance, HostFacts, NodeFile, files, links, units
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
    """Boot the AWS side's nodes with the cluster in them; `await_ready` waits for it.

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
    token = Secret(f"{secrets.token_hex(3)}.{secrets.token_hex(8)}")  # kubeadm's form: 6 and 16 digits

    def furnish(machine: Machine, root: Path) -> None:
        _furnish(
            plan, machine, root, authority, files(plan, machine, facts, Admittance(token, authority.hash))
        )
        _enable(root, units(plan, machine, facts))

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


def await_ready(plan: Plan, state: State, within_s: float = 60.0) -> None:
    """Wait until every node of the cluster is Ready. Raises ServiceFailed with the end of kubeadm's log."""
    end = time.monotonic() + within_s
    while not (_work(plan, plan.aws_nodes[0]) / "ready").exists():
        failed = [each.name for each in plan.aws_nodes if _failed(plan, state, each)]
        if failed or time.monotonic() > end:
            why = f"{', '.join(failed)} did not come up" if failed else f"is not ready after {within_s:.0f} s"
            logs = "\n".join(f"{each.name}:\n{_said(plan, state, each)}" for each in plan.aws_nodes)
            raise ServiceFailed("the source cluster", f"{why}\n{logs}")
        time.sleep(0.1)


def _failed(plan: Plan, state: State, machine: Machine) -> bool:
    return (_work(plan, machine) / "failed").exists() or not state.process(machine.name).alive()


def _work(plan: Plan, machine: Machine) -> Path:
    return node_root.folder(plan, machine) / "root" / WORK.lstrip("/")


def _said(plan: Plan, state: State, machine: Machine) -> str:
    log = _work(plan, machine) / "cluster.log"
    said = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
    return said or state.log_tail(machine.name)


def _enable(root: Path, made: dict[str, str]) -> None:
    folder = root / "etc/systemd/system"
    for name, text in made.items():
        (folder / f"{name}.service").write_text(text)
        (folder / "multi-user.target.wants" / f"{name}.service").symlink_to(
            f"/etc/systemd/system/{name}.service"
        )


def _furnish(
    plan: Plan, machine: Machine, root: Path, authority: ClusterAuthority, texts: tuple[NodeFile, ...]
) -> None:
    for file in texts:
        path = root / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(file.mode)
        path.write_text(file.text)
        path.chmod(file.mode)
    for link, target in links(MULTI_CALL).items():
        path = root / link.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    kubernetes = root / "etc/kubernetes"
    inside = f"https://{plan.aws_nodes[0].address}:{plan.api_port}"
    authority.kubeconfig(kubernetes / "kube-proxy.kubeconfig", inside, "system:kube-proxy")
    authority.kubeconfig(kubernetes / "flannel.kubeconfig", inside, "flannel")
    if machine == plan.aws_nodes[0]:
        authority.write(kubernetes / "pki")
    else:
        (kubernetes / "known-ca.crt").write_bytes(authority.issued.certificate)
    registry = plan.registry_host
    trust = root / "etc/containerd/certs.d" / registry / "hosts.toml"
    trust.parent.mkdir(parents=True, exist_ok=True)
    trust.write_text(f'server = "https://{registry}"\nca = "/etc/containerd/certs.d/{registry}/ca.crt"\n')
    if plan.ca_file.exists():
        (trust.parent / "ca.crt").write_bytes(plan.ca_file.read_bytes())
