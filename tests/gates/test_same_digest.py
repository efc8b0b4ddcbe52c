"""The same findings, waivers and policy have one digest: order, zone, locale and hash seed are nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

from inventory.models.finding import Evidence, Finding, Waiver
from inventory.models.verdict import Verdict
from inventory.policy import load_policy
from tasks.gates.decision import decide

TODAY = date(2026, 11, 23)
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Another process judges the same in its own order (that of a set, which the hash seed decides).
_JUDGE = """
from tests.gates.test_same_digest import TODAY, findings, waivers
from inventory.policy import load_policy
from tasks.gates.decision import decide
shuffled = [findings()[n] for n in sorted(range(len(findings())), key=lambda n: hash(str(n)))]
print(decide(shuffled, reversed(waivers()), TODAY, load_policy("strict")).digest)
"""


def findings(at: datetime = AT) -> list[Finding]:
    evidence = Evidence(
        source="cat /etc/os-release", grade="E2", observed_at=at, digest="a" * 64, excerpt="ærlig"
    )
    return [
        Finding(code=code, subject=subject, verdict=verdict, observed="så", evidence=(evidence,))
        for code in ("INV-01", "DAT-06", "LOC-01")
        for subject in ("oslo-1", "Østfold", "oslo-2")
        for verdict in (Verdict.PASS, Verdict.NODATA)
    ]


def waivers() -> list[Waiver]:
    return [
        Waiver(check=code, subject=subject, reason="known to all of us", approver="Åse", expires=TODAY)
        for code in ("INV-01", "LOC-01")
        for subject in ("oslo-1", "*")
    ]


def digest() -> str:
    return decide(findings(), waivers(), TODAY, load_policy("strict")).digest


def test_another_machine_comes_to_the_same_digest() -> None:
    said = set()
    for seed, zone, locale in (("1", "Asia/Tokyo", "C"), ("77", "America/Los_Angeles", "tr_TR.UTF-8")):
        surroundings = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        argv = [sys.executable, "-c", _JUDGE]
        done = subprocess.run(argv, env=surroundings, capture_output=True, text=True, check=True)
        said.add(done.stdout.strip())
    assert said == {digest()}


def test_one_moment_written_in_another_zone_is_the_same_evidence() -> None:
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    assert decide(findings(tokyo), waivers(), TODAY, load_policy("strict")).digest == digest()


def test_another_policy_or_a_waiver_less_is_another_digest() -> None:
    assert decide(findings(), waivers(), TODAY, load_policy("dpf")).digest != digest()
    assert decide(findings(), waivers()[:-1], TODAY, load_policy("strict")).digest != digest()
