"""Commands for a cluster that stands: etcd's backup and restore, the upgrade."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from flows.cli.running import site_file
from flows.cli.stages import NO_OPTIONS, Common, Site, run_stage
from inventory.errors import BadInput
from inventory.etcd_snapshot import require_new, verify
from inventory.kubernetes_version import Version
from inventory.load import load_site

_ETCD = """Save everything that the cluster knows, and put it back.

Example: safe-harbor etcd backup oslo --out oslo.db
"""
From = Annotated[Path, Parameter(name="--from", help="The snapshot to put back.")]


def register(app: App) -> None:
    """Add the commands."""
    group = App(name="etcd", help=_ETCD)
    for command in (backup, restore):
        group.command(command)
    app.command(group)
    app.command(upgrade)


def backup(site: Site, options: Common = NO_OPTIONS, *, out: Path) -> int:
    """Save a snapshot of etcd on this machine, verified by its hash, readable by you alone.

    Example: safe-harbor etcd backup oslo --out backups/oslo-2026-11-23.db

    Parameters
    ----------
    out
        The file to write; it must not be there yet. It holds every Secret of the cluster.
    """
    site_file(site)
    require_new(out.absolute())
    return run_stage("etcd", site, options, action="backup", file=str(out.absolute()))


def restore(site: Site, options: Common = NO_OPTIONS, *, snapshot: From, yes: bool = False) -> int:
    """Put the cluster's state back to a snapshot: what came after it is lost. Asks before it begins.

    Example: safe-harbor etcd restore oslo --from backups/oslo-2026-11-23.db

    Parameters
    ----------
    yes
        Do not ask; for scripts.
    """
    snapshot = snapshot.absolute()
    name = load_site(site_file(site)).target.cluster.name
    digest = verify(snapshot)
    if not options.dry_run and not yes:
        _confirm(name, snapshot, digest)
    return run_stage("etcd", site, options, action="restore", file=str(snapshot))


def upgrade(site: Site, options: Common = NO_OPTIONS, *, to: str, programs: Path | None = None) -> int:
    """Bring the cluster to another patch or the next minor, one node after the other.

    Example: safe-harbor upgrade oslo --to 1.38.0 --programs /opt/kubernetes-1.38.0 --dry-run

    Parameters
    ----------
    to
        The version; one minor at a time, never down.
    programs
        The folder of that version's programs; by default the one that the site file names.
    """
    try:
        Version.of(to)
    except ValueError as error:
        raise BadInput(f"--to: {error}") from None
    if programs is not None and not programs.is_dir():
        raise BadInput("--programs: there is no such folder", programs)
    folder = str(programs.absolute()) if programs else ""
    return run_stage("upgrade", site, options, to=to, programs=folder)


def _confirm(name: str, snapshot: Path, digest: str) -> None:
    """Raises BadInput where nobody can be asked, or the answer is not the cluster's name."""
    if not sys.stdin.isatty():
        raise BadInput("a restore asks first, and there is no terminal; --yes answers beforehand")
    sys.stderr.write(
        f"The state of the cluster {name} becomes that of {snapshot} (sha256 {digest[:16]}).\n"
        "Whatever was made, changed or deleted in it since then is lost. Its API stops for half a minute.\n"
        f"Type the cluster's name to go on: "
    )
    sys.stderr.flush()
    if sys.stdin.readline().strip() != name:
        raise BadInput(f"not confirmed: the answer was not {name}; nothing was touched")
