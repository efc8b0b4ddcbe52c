"""A made-up exit, for tests of the report's shape only: none of these figures was ever measured."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from inventory.load import load_site
from inventory.models.finding import Evidence, Finding, Grade, Severity, Waiver
from inventory.models.resource import Coverage, CoverageStatus, Resource, Survey
from inventory.models.site import Site
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from tasks.report.model import LedgerFigures

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEDGER = LedgerFigures(
    path="build/rehearsal/ledger",
    entries=214,
    root="5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    checkpoints=17,
    key="safe-harbor/ledger/795463d4dd555c4c+aa169b07+ASbMMPuKcrRi7M0/K8x4feKEty7XDm9snNVHE23st7CR",
)
_SECONDS = {
    "survey": 3.4,
    "plan": 1.1,
    "prepare": 74.2,
    "network": 38.0,
    "move": 52.7,
    "replay": 121.4,
    "capacity": 17.5,
    "gate": 4.9,
    "approve": 0.1,
    "cutover": 44.6,
    "finalize": 6.3,
}


def site(state: Path) -> Site:
    whole = load_site(Path(__file__).parents[1] / "data" / "sites" / "whole.yaml", check_files=False)
    waiver = Waiver(
        check="ADM-KVM",
        subject="*",
        reason="The rehearsal's nodes are nspawn containers, not KVM guests.",
        approver="Kari Nordmann",
        expires=(START + timedelta(days=90)).date(),
    )
    return whole.model_copy(update={"state": state, "name": "rehearsal", "waivers": (waiver,)})


def finding(code: str, subject: str, verdict: Verdict, observed: str, **more: Any) -> Finding:
    evidence = Evidence(
        source=f"ssh {subject} sysctl -a",
        grade=Grade.E2,
        observed_at=START,
        digest="ab" * 32,
        excerpt="net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1",
    )
    return Finding(
        code=code, subject=subject, verdict=verdict, observed=observed, evidence=(evidence,), **more
    )


def findings() -> dict[str, list[Finding]]:
    nodes = ("oslo-1", "oslo-2", "oslo-3")
    return {
        "survey": [
            finding(
                "WRK-PROBE",
                "deployment/shop/legacy-mailer",
                Verdict.WARN,
                "has no readiness probe",
                expected="every container has a readiness probe",
                remedy="add readinessProbe to the container `mailer`",
            )
        ],
        "prepare": [
            finding(
                "ADM-KVM",
                node,
                Verdict.FAIL,
                "systemd-detect-virt says systemd-nspawn",
                expected="kvm",
                remedy="run the node as a KVM guest",
                severity=Severity.CRITICAL,
                waived_by="Kari Nordmann",
            )
            for node in nodes
        ]
        + [finding("ADM-CLOCK", node, Verdict.PASS, "the clock is 3 ms off") for node in nodes],
        "network": [
            finding("NET-PATH", f"{a} -> {b}", Verdict.PASS, "20 of 20 answered, 1450 bytes unfragmented")
            for a in nodes
            for b in nodes
        ],
        "move": [finding("MOV-TABLES", "shop", Verdict.PASS, "6 tables, 40 312 rows, all checksums equal")],
        "gate": [
            finding("LAT-P99", "*", Verdict.PASS, "ratio 0.71, upper bound 0.78, margin 1.15"),
            finding(
                "DAT-03",
                "10.60.0.11:3306",
                Verdict.PASS,
                "one replica, in Oslo",
                severity=Severity.CRITICAL,
            ),
        ],
        "cutover": [finding("CUT-STEP", "50 %", Verdict.PASS, "0 errors of 1 004 requests")],
    }


def figures() -> dict[str, dict[str, Any]]:
    dice = random.Random(7)  # noqa: S311 - figures for a test, no secret
    rounds = [
        {
            "round": number,
            "side": side,
            "route": route,
            "requests": 5000,
            "errors": 0,
            "p50_ms": 9 * k * dice.uniform(0.95, 1.05),
            "p95_ms": 24 * k * dice.uniform(0.9, 1.1),
            "p99_ms": 51 * k * dice.uniform(0.85, 1.15),
        }
        for number in range(1, 9)
        for side, k in (("source", 1.0), ("target", 0.72))
        for route in ("*", "/product/{id}")
    ]
    curve = {
        side: {"*": [(p, k * 6 * math.exp(-0.72 * math.log10(1.0001 - p / 100) * 1.3)) for p in _PERCENTILES]}
        for side, k in (("source", 1.4), ("target", 1.0))
    }
    return {
        "survey": {"resources": 3, "services": {"ec2": 3}, "regions": ["us-east-1"], "complete": True},
        "prepare": {
            "node_seconds": {"oslo-1": 73.8, "oslo-2": 41.2, "oslo-3": 44.0},
            "changes_by_phase": {"kernel-profile": 42, "containerd": 15, "etcd": 6},
            "phase_seconds": {"kernel-profile": 4.2, "containerd": 15.1, "etcd": 6.0, "kubeadm": 39.5},
        },
        "network": {
            "data_plane": {
                "userspace": {"requests_per_s": 4120.4, "cpu_us_per_request": 212.5},
                "iptables": {"requests_per_s": 17_850.2, "cpu_us_per_request": 48.1},
            }
        },
        "plan": {"page": "12 images, 23 objects, 6 tables and 512 files will be copied"},
        "move": {
            "images": {"count": 4, "copied": 4, "names": {"old/shop:1": "new/shop:1"}},
            "objects": {"applied": 23, "dropped": [f"Event/shop/e{n}" for n in range(40)]},
            "database": {"tables": 6, "rows": 40312, "lag_s": 0.4, "checksums_equal": True},
            "bucket": {"count": 512, "bytes": 18_874_368},
        },
        "replay": {
            "rate_rps": 500.0,
            "seed": 1,
            "rounds_run": 8,
            "runs_discarded": 1,
            "rounds": rounds,
            "discarded": [{"round": 5, "side": "target", "reasons": ["backlog of 3 requests"]}],
            "readings": [
                {"round": row["round"], "side": row["side"], "attempt": 1, "valid": True}
                | {"machines": _machines(row["side"])}
                for row in rounds
                if row["route"] == "*"
            ],
            "pilot": _PILOT,
            "figures_ms": {
                side: {
                    route: {"p50": 9.0 * k, "p95": 24.0 * k, "p99": 51.0 * k, "p99_9": None, "max": 300.0}
                    for route in ("*", "/product/{id}")
                }
                for side, k in (("source", 1.0), ("target", 0.72))
            },
            "page": "replay.html",
            "curves_ms": curve,
            "answers": {"compared": 60, "same": 60, "different": 0, "varying": 0, "unanswered": 0},
            "bodies": {"compared": 912, "same": 912, "different": 0, "varying": 40, "first_differences": []},
        },
        "capacity": {
            "capacity": {
                "verdict": "pass",
                "reasons": [],
                "peak_rps": 300.0,
                "required_rps": 450.0,
                "knee_rps": 450.0,
                "knee_found": True,
                "knee_broken": ["p99 1204 ms, limit 1000 ms"],
                "steps": [
                    {"rate_rps": rate, "requests": 4 * rate, "errors": 0, "p99_ms": p99, "queued": 0}
                    | {"outcome": "broke" if broken else "held", "broken": broken, "nodes": []}
                    for rate, p99, broken in (
                        (300, 9.5, []),
                        (450, 17.25, []),
                        (600, 1204.0, ["p99 1204 ms, limit 1000 ms"]),
                    )
                ],
            }
        },
        "gate": {
            "round_trips": {"NIX1": {"oslo-1": {"sent": 100, "lost": 0, "min_ms": 0.04, "p99_ms": 0.4}}},
            "latency": {
                "verdict": "pass",
                "reasons": [],
                "planned_rounds": 12,
                "looks": [
                    {"look": 1, "rounds": 4, "z": 3.18, "alpha": 0.0007, "t": 8.9, "verdict": "inconclusive"},
                    {"look": 2, "rounds": 8, "z": 2.14, "alpha": 0.0162, "t": 2.6, "verdict": "pass"},
                ],
                "routes": _routes(),
            },
            "decision": {"go": True, "digest": "cd" * 32, "reasons": [], "findings": 21, "waivers": []},
        },
        "approve": {
            "digest": "cd" * 32,
            "approver": "Kari Nordmann",
            "reason": "standing approval of the rehearsal",
            "how": "standing, from the site file",
        },
        "cutover": {
            "write_freeze_s": 0.84,
            "steps": [
                {"percent": p, "at": (_at("cutover") + timedelta(seconds=s)).isoformat(), "requests": 1003}
                | {"errors": 0, "target_requests": 10 * p, "fallbacks": 0}
                for p, s in ((0, 5), (1, 11), (10, 17), (50, 23), (100, 29), (100, 36))
            ],
        },
        "finalize": {"stopped": ["deployment/shop/shop", "i-0a1b2c3d4e5f60001"]},
        "customers": {
            "requests": 9120,
            "failed": 0,
            "orders_placed": 431,
            "orders_lost": 0,
            "orders_doubled": 0,
            "orders_by_site": {"aws": 180, "oslo": 251},
            "timeline": [
                {
                    "at": int(_at("cutover").timestamp()) + s,
                    "requests": 200,
                    "failed": 0,
                    "sites": {"aws": round(200 * (1 - _share(s))), "oslo": round(200 * _share(s))},
                    "slowest_ms": 870.5 if s == 29 else 40.0 + 3 * (s % 7),
                }
                for s in range(45)
            ],
        },
    }


_PERCENTILES = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 100.0)


_PILOT: dict[str, Any] = {
    "schema": "safe-harbor/latency-pilot/v1",
    "verdict": "pass",
    "reasons": [],
    "rounds": 8,
    "planned_rounds": 12,
    "routes": {
        "*": {
            "p99": {"sigma_d": 0.0461, "rounds_needed": 5, "ratio": 1.003, "lower": 0.97, "upper": 1.04}
            | {"differs": False}
        }
    },
}


def _machines(side: str) -> list[dict[str, Any]]:
    """The source's nodes were not read; one of the target's is a container whose machine was stolen from."""
    unread = {"machine": "source nodes", "part": "source", "missing": "source: Denied: pods/exec"}
    quiet = {"steal": 0.001, "conntrack_count": 650, "conntrack_max": 1000, "tcp_sent": 9000}
    here = {"machine": "this machine", "part": "generator", "cpu_busy": 0.42, **quiet, "tcp_resent": 0}
    nodes = [
        {"machine": f"oslo-{n}", "part": "target", "own_kernel": False, **quiet}
        | {"cpu_busy": 0.3 + n / 100, "steal": 0.027 if n == 2 else 0.0, "tcp_resent": n}
        for n in (1, 2, 3)
    ]
    return [*(nodes if side == "target" else [unread]), here]


def _share(second: int) -> float:
    return next((p / 100 for p, end in ((0, 5), (1, 11), (10, 17), (50, 23)) if second < end), 1.0)


def _routes() -> dict[str, Any]:
    return {
        route: {
            name: {
                "verdict": "pass",
                "reason": "",
                "rounds": 8,
                "margin": margin,
                "ratio": ratio,
                "lower": ratio * 0.95,
                "upper": ratio * 1.06,
                "sigma_d": 0.04,
                "rounds_needed": 6,
                "source_ms": 9.0,
                "target_ms": 9.0 * ratio,
            }
            for name, margin, ratio in (("p50", 0.05, 0.72), ("p95", 0.1, 0.74), ("p99", 0.15, 0.71))
        }
        for route in ("*", "/product/{id}")
    } | {
        "/": {
            "p99": {"verdict": "nodata", "reason": "too few requests", "rounds": 8, "margin": 0.15}
            | dict.fromkeys(("ratio", "lower", "upper", "sigma_d", "rounds_needed", "source_ms", "target_ms"))
        }
    }


def _at(name: str) -> datetime:
    names = list(_SECONDS)
    return START + timedelta(seconds=sum(_SECONDS[n] + 0.5 for n in names[: names.index(name)]))


def results() -> dict[str, StageResult]:
    found, recorded = findings(), figures()
    out = {
        name: StageResult(
            name=name,
            verdict=Verdict.WARN if name == "survey" else Verdict.PASS,
            started_at=_at(name),
            seconds=seconds,
            changes=72 if name == "prepare" else 0,
            findings=tuple(found.get(name, ())),
            figures=recorded.get(name, {}),
        )
        for name, seconds in _SECONDS.items()
    }
    out["customers"] = StageResult(
        name="customers",
        verdict=Verdict.PASS,
        started_at=_at("cutover"),
        seconds=50.0,
        figures=recorded["customers"],
    )
    return out


def entries() -> list[dict[str, Any]]:
    begin = _at("cutover")

    def entry(index: int, kind: str, subject: str, at_s: float, **body: Any) -> dict[str, Any]:
        at = (begin + timedelta(seconds=at_s)).isoformat()
        return {"index": index, "kind": kind, "subject": subject, "at": at, "body": body}

    return [
        entry(200, "intent", "database/changeover", 29.2),
        entry(201, "outcome", "database/changeover", 30.1, intent=200, done=True),
        entry(202, "intent", "dns/set", 36.1),
        entry(203, "outcome", "dns/set", 36.2, intent=202, done=True),
    ]


def write(state: Path, chosen: dict[str, StageResult] | None = None) -> None:
    """Lay the made-up results out as the stages leave them."""
    (state / "stages").mkdir(parents=True)
    for name, result in (results() if chosen is None else chosen).items():
        (state / "stages" / f"{name}.json").write_text(result.model_dump_json())
    survey = Survey(
        site="rehearsal",
        observed_at=START.isoformat(),
        resources=tuple(
            Resource(service=service, region="us-east-1", kind="instance", id=f"i-{n}")
            for n, service in enumerate(("ec2", "ec2", "rds"))
        ),
        coverage=(
            Coverage(
                service="ec2", region="us-east-1", operation="DescribeInstances", status=CoverageStatus.OK
            ),
            Coverage(service="rds", region="eu-north-1", operation="x", status=CoverageStatus.EMPTY),
        ),
    )
    (state / "survey.json").write_text(survey.model_dump_json(by_alias=True))
