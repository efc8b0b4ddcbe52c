"""The audit trail: append, checkpoint, verify, export.

Law: called by steps and flows only; knows nothing of migrations. An entry is durable before `append` returns.
"""

from tasks.ledger.bundle import export
from tasks.ledger.entry import Entry, Kind, open_intents
from tasks.ledger.errors import LedgerBroken, LedgerBusy
from tasks.ledger.ledger import Effect, Ledger
from tasks.ledger.note import Checkpoint
from tasks.ledger.verify import Verified, read_entries, verify
from tasks.ledger.witness import Witnessed, witness

__all__ = [
    "Checkpoint",
    "Effect",
    "Entry",
    "Kind",
    "Ledger",
    "LedgerBroken",
    "LedgerBusy",
    "Verified",
    "Witnessed",
    "export",
    "open_intents",
    "read_entries",
    "verify",
    "witness",
]
