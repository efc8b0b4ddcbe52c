"""LOC-02 with a TPM: quotes that swtpm made, and a swtpm of our own that is asked as a node's is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from inventory.models.command import Shellable
from inventory.models.finding import Finding, Grade
from inventory.models.verdict import Verdict
from tasks.checks.residency import loc_02
from tasks.checks.residency.quoted import verified
from tasks.drivers.errors import HostUnreachable
from tasks.facts import asset
from tasks.facts.tpm_quote import Quote, parse
from tests.checks.residency.test_statements_judged import signed
from tests.checks.residency.world import one, world

DATA = Path(__file__).parents[2] / "data" / "tpm"
NONCE = bytes.fromhex("00112233445566778899aabbccddeeff")
QUOTES = {kind: parse((DATA / f"quote-{kind}.txt").read_text()) for kind in ("rsa", "ecc")}


def digest(quote: Quote) -> str:
    return hashlib.sha256(quote.key).hexdigest()


@pytest.mark.parametrize("kind", list(QUOTES))
def test_a_quote_holds_for_its_key_and_nonce_only(kind: str) -> None:
    quote = QUOTES[kind]
    assert verified(quote, digest(quote), NONCE).nonce == NONCE
    with pytest.raises(ValueError, match="another nonce"):
        verified(quote, digest(quote), bytes(16))
    with pytest.raises(ValueError, match="another key"):
        verified(quote, "0" * 64, NONCE)
    changed = bytearray(quote.message)
    changed[-1] ^= 1
    with pytest.raises(ValueError, match="does not verify"):
        verified(Quote(quote.key, bytes(changed), quote.signature), digest(quote), NONCE)


class Node:
    """A node with the stated asset tag, whose TPM says this."""

    def __init__(self, quote: str | HostUnreachable) -> None:
        self._quote = quote

    def check(self, command: Shellable) -> str:
        if command.render() == asset.command().render():
            return "tag OSL-7\n"
        if isinstance(self._quote, HostUnreachable):
            raise self._quote
        return self._quote


@pytest.mark.parametrize(
    ("said", "expected", "why"),
    [
        ("untold tpm2_quote is not installed\n", Verdict.NODATA, "tpm2_quote is not installed"),
        ("other\n", Verdict.FAIL, "does not hold the stated key"),
        ((DATA / "quote-rsa.txt").read_text(), Verdict.FAIL, "another nonce than ours"),
        ("key AAAA\n", Verdict.FAIL, "without its message, signature"),
        (HostUnreachable("oslo-1", "refused"), Verdict.ERROR, "refused"),
    ],
)
def test_what_does_not_hold_is_never_a_pass(
    said: str | HostUnreachable, expected: Verdict, why: str, tmp_path: Path
) -> None:
    found = judged(tmp_path, Node(said), digest(QUOTES["rsa"]))
    assert found.verdict is expected
    assert why in found.observed
    assert found.remedy


def judged(folder: Path, node: object, key: str) -> Finding:
    statement = signed("LOC-02", "oslo-1", asset_tag="OSL-7", site="Gaustad", attestation_key=key)
    context = world(folder, hosts={"oslo-1": node}, statements=(statement,))
    return one(loc_02.CHECK, context, "oslo-1/asset")


class WithTpm:
    """A node whose commands run here, beside a TPM of our own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def check(self, command: Shellable) -> str:
        if command.render() == asset.command().render():
            return "tag OSL-7\n"
        return self.ran("sh", "-c", command.render())

    def ran(self, *argv: str) -> str:
        return subprocess.run(
            argv, env=self._environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout


@pytest.fixture
def node(tmp_path: Path) -> Iterator[WithTpm]:
    if shutil.which("swtpm") is None or shutil.which("tpm2_quote") is None:
        pytest.skip("swtpm and tpm2-tools are not installed: safe-harbor rehearse setup")
    state = tmp_path / "tpm"
    state.mkdir()
    sockets = ["--server", f"type=unixio,path={state}/s", "--ctrl", f"type=unixio,path={state}/s.ctrl"]
    argv = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", *sockets, "--flags", "startup-clear"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as tpm:
        try:
            deadline = time.monotonic() + 20
            while not (state / "s").exists():
                assert time.monotonic() < deadline, "swtpm does not listen"
                time.sleep(0.02)
            yield WithTpm({**os.environ, "TPM2TOOLS_TCTI": f"swtpm:path={state}/s"})
        finally:
            tpm.terminate()


# As the runbook has it. An emulated TPM has no resource manager: what it holds for a command is flushed.
_MAKE_KEY = """
set -e; cd "$1"
tpm2_createek -Q -c ek.ctx -G rsa -u ek.pub; tpm2_flushcontext -t
tpm2_createak -Q -C ek.ctx -c ak.ctx -G "$2" -g sha256 -s "$3" -u ak.pub -n ak.name; tpm2_flushcontext -t
tpm2_evictcontrol -Q -C o -c ak.ctx 0x81010002; tpm2_flushcontext -t
tpm2_readpublic -Q -c 0x81010002 -f der -o ak.der
sha256sum < ak.der
"""


@pytest.mark.parametrize(("kind", "scheme"), [("rsa", "rsassa"), ("ecc", "ecdsa")])
def test_a_nodes_own_tpm_answers_a_fresh_nonce(node: WithTpm, kind: str, scheme: str, tmp_path: Path) -> None:
    key = node.ran("sh", "-c", _MAKE_KEY, "sh", str(tmp_path), kind, scheme).split()[0]
    found = judged(tmp_path / "world", node, key)
    assert found.verdict is Verdict.PASS, found.observed
    assert "signed a fresh nonce" in found.observed
    assert {each.grade for each in found.evidence} >= {Grade.E1, Grade.E4}
    again = judged(tmp_path / "again", node, key)
    assert again.observed == found.observed, "the same is judged the same"
    assert judged(tmp_path / "other", node, "0" * 64).verdict is Verdict.FAIL
