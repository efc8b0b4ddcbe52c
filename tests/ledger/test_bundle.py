"""The export, and its stand-alone verifier run as a third party runs it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Key

from inventory.errors import BadInput
from tasks.ledger import Ledger, LedgerBroken, export, read_entries, verify
from tasks.ledger.keys import COSIGNATURE, PublicKey, SigningKey
from tasks.ledger.note import Checkpoint, cosign, cosigned_at, open_note, without_cosignatures


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Isolated (-I): nothing of ours can be imported."""
    command = [sys.executable, "-I", str(folder / "verifier.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd="/")


@pytest.fixture
def bundle(folder: Path, tmp_path: Path) -> Path:
    return export(folder, tmp_path / "bundle")


def test_a_third_party_verifies_it(folder: Path, bundle: Path) -> None:
    verified = verify(folder)
    done = run(bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{verified.entries} entries" in done.stdout
    assert verified.root in done.stdout
    assert verify(bundle).root == verified.root
    assert run(bundle, "--key", verified.key).returncode == 0


def test_a_third_party_sees_a_changed_entry(bundle: Path) -> None:
    lines = (bundle / "entries.jsonl").read_bytes().split(b"\n")
    lines[1], lines[2] = lines[2], lines[1]
    (bundle / "entries.jsonl").write_bytes(b"\n".join(lines))
    sums = "".join(
        f"{hashlib.sha256((bundle / name).read_bytes()).hexdigest()}  {name}\n"
        for name in sorted(path.name for path in bundle.iterdir() if path.name != "SHA256SUMS")
    )
    (bundle / "SHA256SUMS").write_text(sums)  # the forger is thorough
    done = run(bundle)
    assert done.returncode == 4
    assert "entry 1: does not follow the entry before it" in done.stdout


@pytest.mark.parametrize("name", ["entries.jsonl", "proofs.jsonl", "checkpoints.jsonl", "seal.note"])
def test_a_third_party_sees_a_cut_off_tail(bundle: Path, name: str) -> None:
    content = (bundle / name).read_bytes().rstrip(b"\n")
    (bundle / name).write_bytes(content[: content.rfind(b"\n") + 1])
    sums = (bundle / "SHA256SUMS").read_text().splitlines(keepends=True)
    digest = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    (bundle / "SHA256SUMS").write_text(
        "".join(f"{digest}  {name}\n" if line.endswith(f"  {name}\n") else line for line in sums)
    )
    done = run(bundle)
    assert (done.returncode, "SHA256SUMS" in done.stdout) == (4, False), done.stdout


def test_a_missing_or_added_file_is_seen(bundle: Path) -> None:
    (bundle / "extra").write_text("x")
    assert "extra: is no part of the bundle" in run(bundle).stdout
    (bundle / "extra").unlink()
    (bundle / "proofs.jsonl").unlink()
    done = run(bundle)
    assert (done.returncode, "proofs.jsonl: missing" in done.stdout) == (4, True)


def test_a_folder_that_is_no_bundle(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(bundle, str(tmp_path / "empty")).returncode == 2


def test_the_wrong_key_is_told(bundle: Path) -> None:
    done = run(bundle, "--key", "safe-harbor/ledger/other+00000000+AAAA")
    assert (done.returncode, "not by safe-harbor/ledger/other" in done.stdout) == (4, True)


def test_an_export_is_refused_where_it_would_overwrite_or_is_early(
    folder: Path, bundle: Path, opened: Callable[[], Ledger], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="is there already"):
        export(folder, bundle)
    with opened(), pytest.raises(BadInput, match="a run is going on"):
        export(folder, tmp_path / "other")
    (folder / "ledger.sqlite").write_bytes(b"")
    with pytest.raises(LedgerBroken):
        export(folder, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_leaf_is_a_dsse_envelope_that_others_verify(folder: Path, bundle: Path) -> None:
    key = PublicKey.parse((folder / "ledger.pub").read_text().strip())
    theirs = Key.from_dict(
        key.keyid, {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": key.raw.hex()}}
    )
    for line in (bundle / "entries.jsonl").read_text().splitlines():
        envelope = Envelope.from_dict(json.loads(line))
        assert list(envelope.verify([theirs], 1)) == [key.keyid]
        statement = json.loads(envelope.payload)
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert envelope.payload_type == "application/vnd.in-toto+json"
    assert len(read_entries(folder)) == 7


def test_a_published_signed_note_is_read() -> None:
    # The example of Go's golang.org/x/mod/sumdb/note, from which C2SP signed-note comes.
    key = PublicKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    note = f"{text}\n\N{EM DASH} PeterNeumann {signature}\n"
    assert open_note(note, key) == text
    with pytest.raises(ValueError, match="not signed by PeterNeumann"):
        open_note(note.replace("answer", "Answer"), key)
    with pytest.raises(ValueError, match="its hash is wrong"):
        PublicKey.parse("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")


def test_a_cosigned_checkpoint_still_is_the_logs(tmp_path: Path) -> None:
    log = SigningKey.create(tmp_path / "log.pem", "example.com/log")
    auditor = SigningKey.create(tmp_path / "auditor.pem", "example.com/auditor", COSIGNATURE)
    point = Checkpoint.sign(log, 3, b"r" * 32)
    assert point.note.split("\n")[:3] == ["example.com/log", "3", base64.b64encode(b"r" * 32).decode()]
    note = cosign(point.note, auditor, 1_800_000_000)
    assert cosigned_at(note, auditor.public) == 1_800_000_000
    assert Checkpoint.parse(without_cosignatures(note, log.public), log.public) == point
    with pytest.raises(ValueError, match="2 signatures where one"):
        open_note(note, log.public)
    with pytest.raises(ValueError, match="not cosigned by"):
        cosigned_at(note.replace("example.com/log\n3\n", "example.com/log\n4\n"), auditor.public)
    with pytest.raises(ValueError, match="not a witness's key"):
        cosigned_at(note, log.public)
