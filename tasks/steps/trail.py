"""The site's own ledger, as AUD-01 looks at it: whether it verifies, and who has witnessed it."""

from __future__ import annotations

from pathlib import Path

from inventory.errors import BadInput
from inventory.models.site import Site
from inventory.models.trail import Trail
from tasks.ledger.keys import PublicKey
from tasks.ledger.witnessed import seen

SUFFIX = ".note"


def read_trail(site: Site, ledger: Path) -> Trail:
    """Raises BadInput where a witness's key is none, or the folder is no ledger."""
    witnesses = {}
    for each in site.processing.witnesses:
        try:
            witnesses[each.name] = PublicKey.parse(each.key)
        except ValueError as error:
            raise BadInput(f"processing.witnesses: the key of {each.name}: {error}") from error
    folder = site.processing.checkpoints
    notes = sorted(folder.glob(f"*{SUFFIX}")) if folder is not None else []
    return seen(ledger, notes, witnesses)
