"""`safe-harbor provision`: machines for the nodes that do not exist yet, and their confirmed removal."""

from __future__ import annotations

import sys

from cyclopts import App

from flows.cli.running import site_file
from flows.cli.stages import NO_OPTIONS, Common, Site, run_stage
from inventory.errors import BadInput


def register(app: App) -> None:
    """Add the command."""
    app.command(provision)


def provision(site: Site, options: Common = NO_OPTIONS, *, destroy: bool = False, confirm: str = "") -> int:
    """Make the declared machines on their KVM hosts, until they are usable. A second run makes 0 changes.

    Example: safe-harbor provision oslo --dry-run

    Example: safe-harbor provision oslo --destroy --confirm oslo   (removes what it made, and only that)

    Parameters
    ----------
    destroy
        Remove every machine that carries this site's mark, with the disks that were made for it.
    confirm
        The site's name, to confirm a removal; asked at the prompt where it is left out.
    """
    if destroy and not options.dry_run:
        _require_confirmation(site, confirm)
    return run_stage("provision", site, options, destroy=destroy)


def _require_confirmation(site: str, given: str) -> None:
    """Raises BadInput where the site's name was not given, or another one."""
    from inventory.load import load_site

    name = load_site(site_file(site)).name
    if not given and sys.stdin.isatty():
        sys.stderr.write(f"the machines of {name} and their disks will be gone. Type its name to go on: ")
        sys.stderr.flush()
        given = sys.stdin.readline().strip()
    if given != name:
        raise BadInput(f"--destroy: not confirmed; nothing was touched (to confirm: --confirm {name})")
