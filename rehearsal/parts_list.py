"""The parts: every program that the rehearsal builds from Go modules, as data.

One folder below `rehearsal/parts/` holds a part's go.mod, go.sum and, where a program is put together here,
its main.go. All are static (CGO_ENABLED=0) but flanneld, whose UDP backend is C: that one needs a C compiler.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MULTI_CALL = ("kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True)
class Part:
    """One folder of `parts/` and what is built of it: program name -> Go package."""

    folder: str
    programs: dict[str, str] = field(hash=False)
    tags: tuple[str, ...] = ()
    version_flags: tuple[str, ...] = ()  # -X flags of the linker
    cgo: bool = False
    seconds: int = 5  # cold, on two cores; only for the display

    @property
    def ldflags(self) -> str:
        """The linker's flags: no symbol table, the version that the program shall tell."""
        return " ".join(("-s", "-w", *(f"-X {flag}" for flag in self.version_flags)))


def _kubernetes(version: str) -> tuple[str, ...]:
    major, minor, _ = version.split(".")
    package = "k8s.io/component-base/version"
    return (f"{package}.gitVersion=v{version}", f"{package}.gitMajor={major}", f"{package}.gitMinor={minor}")


_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"

PARTS = (
    Part("pause", {"pause": "."}),
    Part("shop", {"shop": "."}),
    Part("probe", {"probe": "."}),
    Part("toxiproxy", {"toxiproxy-server": "github.com/Shopify/toxiproxy/v2/cmd/server"}),
    Part(
        "cni",
        {
            "bridge": f"{_CNI}/main/bridge",
            "loopback": f"{_CNI}/main/loopback",
            "host-local": f"{_CNI}/ipam/host-local",
            "portmap": f"{_CNI}/meta/portmap",
        },
    ),
    Part("versitygw", {"versitygw": "github.com/versity/versitygw/cmd/versitygw"}, seconds=30),
    Part(
        "etcd",
        {
            "etcd": "go.etcd.io/etcd/server/v3",
            "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
            "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
        },
        seconds=45,
    ),
    Part(
        "containerd",
        {name: f"{_CONTAINERD}/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
        tags=("no_btrfs", "no_zfs", "no_devmapper"),
        seconds=90,
    ),
    Part("flannel", {"flanneld": "github.com/flannel-io/flannel"}, cgo=True, seconds=100),
    Part(
        "kube-proxy-1.25",
        {"kube-proxy-1.25": "."},
        version_flags=_kubernetes("1.25.16"),
        seconds=100,
    ),
    Part("kubernetes", {"kubernetes": "."}, version_flags=_kubernetes("1.37.1"), seconds=630),
)

# The same source under the version before: what an upgrade begins with on the rehearsal site. It shows the
# way of an upgrade, and not whether two releases get on with each other. Linking it takes half a minute.
STAMPED = Part("kubernetes", {"kubernetes": "."}, version_flags=_kubernetes("1.36.9"), seconds=40)
STAMPED_VERSION = "1.36.9"
BEFORE_UPGRADE = (*(part for part in PARTS if part.folder != STAMPED.folder), STAMPED)

PROGRAMS = tuple(sorted(program for part in PARTS for program in part.programs))
