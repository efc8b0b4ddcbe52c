"""Exports a ledger as a bundle that anyone verifies with Python's standard library alone.

`entries.jsonl` has one leaf a line, `proofs.jsonl` the inclusion proof of every entry in the tree of the last
checkpoint, `checkpoints.jsonl` every signed checkpoint as a JSON string, `seal.note` the signed extent,
`ledger.pub` the verifier key, `verifier.py` the verifier, `SHA256SUMS` the digests of all of them.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from inventory.errors import BadInput
from tasks.ledger import merkle, verifier
from tasks.ledger.canonical import canonical
from tasks.ledger.errors import LedgerBroken
from tasks.ledger.examine import Trail, examine


def export(path: Path | str, out_dir: Path | str) -> Path:
    """Write the bundle into a new folder; its path.

    Raises BadInput where the path is no ledger, is in use, or `out_dir` is there already; LedgerBroken
    where the ledger does not verify.
    """
    out = Path(out_dir)
    trail = examine(Path(path))
    if trail.problems:
        raise LedgerBroken(trail.path, trail.problems)
    if not trail.sealed:
        raise BadInput(
            "a run is going on or was killed: export when it is over, or after `safe-harbor run --resume`",
            trail.path,
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("is there already; give a folder that does not exist, or an empty one", out)
    out.mkdir(parents=True, exist_ok=True)
    content = _content(trail)
    for name, data in content.items():
        (out / name).write_bytes(data)
    shutil.copy(verifier.__file__, out / verifier.VERIFIER)
    content[verifier.VERIFIER] = (out / verifier.VERIFIER).read_bytes()
    sums = (f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content))
    (out / verifier.SUMS).write_text("".join(sums))
    return out


def _content(trail: Trail) -> dict[str, bytes]:
    signed = trail.checkpoints[-1].size if trail.checkpoints else 0
    proofs = [
        {
            "index": index,
            "leaf_hash": trail.hashes[index].hex(),
            "path": [node.hex() for node in path],
        }
        for index, path in enumerate(merkle.inclusion_proofs(trail.hashes[:signed]))
    ]
    return {
        verifier.ENTRIES: b"".join(leaf + b"\n" for leaf in trail.leaves),
        verifier.PROOFS: b"".join(canonical(proof) + b"\n" for proof in proofs),
        verifier.CHECKPOINTS: b"".join(canonical(point.note) + b"\n" for point in trail.checkpoints),
        verifier.PUBLIC_KEY: (trail.path / verifier.PUBLIC_KEY).read_bytes(),
        verifier.SEAL: (trail.path / verifier.SEAL).read_bytes(),
    }
