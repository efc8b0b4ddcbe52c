"""A snapshot of etcd, and the cluster's state put back from one.

The new data is made beside the old while etcd still runs; only then do the API servers and all the members
stop, and the folders change places. What was there stays on the node, under a name of its own.
"""

from __future__ import annotations

from inventory.models.change import Change, RemoveFile, Run
from inventory.models.cluster import Node, Role
from inventory.models.command import Command, Script
from inventory.models.site import Site
from tasks.operations.etcd import DATA, PEER_PORT, initial_cluster
from tasks.operations.files import STATE
from tasks.operations.flannel import etcd_access
from tasks.operations.preparation import API_PORT, BIN, ETCD_PORT

FOLDER = f"{STATE}/etcd"
SAVED = f"{FOLDER}/saved.db"
SENT = f"{FOLDER}/sent.db"
MADE = f"{DATA}.restored"
# Kubernetes' watches count revisions: after a restore they must never see an old one again, so the revision
# jumps ahead and all before it counts as compacted (etcd's documentation of disaster recovery).
REVISION_JUMP = 1_000_000_000

_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_PARKED = "/etc/kubernetes/kube-apiserver.yaml.safe-harbor"

# $1 the folder, then etcdctl's words.
_SAVE = 'umask 077; mkdir -p "$1" && rm -f "$1"/saved.db*; shift; "$@" >&2'
# $1 the folder to make, then etcdutl's words.
_MAKE = 'umask 077; rm -rf -- "$1"; shift; "$@" >&2'
# $1 manifest, $2 where it waits, $3 the API server's port. kubelet ends a static pod whose file is gone.
_STOP_API = """
if [ -e "$1" ]; then mv -f -- "$1" "$2"; fi
for second in $(seq 60); do
  ss -H -l -n -t "sport = :$3" | grep -q . || exit 0
  sleep 1
done
echo 'the API server did not stop within 60 s' >&2; exit 1
"""
_START_API = 'if [ -e "$2" ]; then mv -f -- "$2" "$1"; fi'
# $1 the unit. A flanneld whose watch is of the old revisions does not end in order: systemd would wait 90 s.
# Routes and rules are the kernel's, and stay.
_RESTART = """
systemctl -q is-active "$1" || exit 0
systemctl kill --signal=KILL "$1" && systemctl restart "$1"
"""
# $1 the data folder, $2 the new one, $3 what the old one is called from now on.
_SWAP = """
set -e
[ -d "$2" ] || { echo "$2 is not there" >&2; exit 1; }
if [ -d "$1" ] && [ ! -e "$3" ]; then mv -T -- "$1" "$3"; fi
mv -T -- "$2" "$1"
"""
# $1 the data folder, $2 what the old one is called since.
_SWAP_BACK = """
set -e
if [ -d "$2" ]; then rm -rf -- "$1"; mv -T -- "$2" "$1"; fi
"""
_STOP = "systemctl stop etcd.service"
_START = "systemctl reset-failed etcd.service 2>/dev/null || true; systemctl start etcd.service"


def plan_save(node: Node) -> Change:
    """Save a snapshot on this node, mode 0600, from its own member."""
    save = etcd_access(f"https://{node.address}:{ETCD_PORT}").command(
        "--command-timeout=900s", "snapshot", "save", SAVED
    )
    return Change(
        node.name,
        "etcd snapshot",
        "everything that the cluster knows, to keep elsewhere",
        "",
        SAVED,
        (Run(Script.of(_SAVE, FOLDER, *save.words), timeout_s=900.0),),
        (RemoveFile(SAVED),),
    )


def plan_make(site: Site, node: Node) -> Change:
    """Make this member's data folder out of the snapshot that was sent, beside the one in use."""
    words = (
        f"{BIN}/etcdutl",
        "snapshot",
        "restore",
        SENT,
        f"--data-dir={MADE}",
        f"--name={node.name}",
        f"--initial-cluster={initial_cluster(site.target.having(Role.CONTROL_PLANE))}",
        f"--initial-cluster-token={site.target.cluster.name}",
        f"--initial-advertise-peer-urls=https://{node.address}:{PEER_PORT}",
        f"--bump-revision={REVISION_JUMP}",
        "--mark-compacted",
    )
    return Change(
        node.name,
        f"etcd data {MADE}",
        "the snapshot as this member's data, beside the data in use",
        "",
        "the snapshot's content",
        (Run(Script.of(_MAKE, MADE, *words), timeout_s=900.0),),
        (Run(Command.of("rm", "-rf", "--", MADE)),),
    )


def plan_stop_api(node: Node) -> Change:
    """End the API server on this node: nobody may write while the members change over."""
    return Change(
        node.name,
        "kube-apiserver",
        "nobody writes while etcd's data changes",
        "running",
        "stopped",
        (Run(Script.of(_STOP_API, _MANIFEST, _PARKED, API_PORT), timeout_s=90.0),),
        (Run(Script.of(_START_API, _MANIFEST, _PARKED)),),
    )


def plan_stop(node: Node) -> Change:
    """End this member. All of them end before one starts with other data: a member of the old data that meets
    one of the new takes it for its own (same names, same ids), and one of the two ends for good."""
    return Change(
        node.name,
        "etcd",
        "members of old and of new data must never meet",
        "running",
        "stopped",
        (Run(Script.of(_STOP), timeout_s=120.0),),
        (Run(Script.of(_START), timeout_s=180.0),),
    )


def plan_start(node: Node) -> Change:
    """Start this member. All members start at once: one alone waits for the others."""
    return Change(
        node.name,
        "etcd",
        "with the data that is in place",
        "stopped",
        "running",
        (Run(Script.of(_START), timeout_s=180.0),),
        (Run(Script.of(_STOP), timeout_s=120.0),),
    )


def plan_swap(node: Node, kept: str) -> Change:
    """Put the new data in place; the old data is kept in the folder `kept`."""
    return Change(
        node.name,
        f"etcd data {DATA}",
        f"the restored data; what was there is kept in {kept}",
        "the data in use",
        "the snapshot's content",
        (Run(Script.of(_SWAP, DATA, MADE, kept)),),
        (Run(Script.of(_SWAP_BACK, DATA, kept)),),
    )


def plan_start_api(node: Node) -> Change:
    """Let the API server of this node start again, with empty caches."""
    return Change(
        node.name,
        "kube-apiserver",
        "it serves the restored state",
        "stopped",
        "running",
        (Run(Script.of(_START_API, _MANIFEST, _PARKED)), RemoveFile(SENT)),
    )


def plan_network(node: Node) -> Change:
    """Let flannel take its subnet again: the snapshot may be older than its lease."""
    restart = Script.of(_RESTART, "flanneld.service")
    return Change(node.name, "flanneld", "its leases lie in etcd", "", "started again", (Run(restart),))


def kept_name(stamp: str) -> str:
    """Where the old data of a restore lies; `stamp` tells the restores apart."""
    return f"{DATA}.before-{stamp}"
