"""Answers of stand-alone commands as lines for a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def summary(result: Mapping[str, Any], out: Path) -> str:
    """A replay's result.json in a few lines."""
    response, lateness = result["response_ms"], result["lateness_us"]
    lines = [
        f"{result['records']} requests: {result['done']} done, {result['errors']} errors, "
        f"{result['unsent']} unsent, {result['skipped']} skipped",
        "response  " + "  ".join(f"{key} {value} ms" for key, value in response.items() if key != "routes"),
        f"lateness  p50 {lateness['p50']} us  p99 {lateness['p99']} us",
        f"valid: {'yes' if result['valid'] else 'no, ' + '; '.join(result['reasons'])}",
        str(out / "result.json"),
    ]
    return "\n".join(lines)


def verdict_lines(document: Mapping[str, Any]) -> list[str]:
    """A latency verdict: one line for it, one for each endpoint."""
    lines = [f"latency: {document['verdict']} after {document['looks'][-1]['rounds']} rounds"]
    lines += [f"  {reason}" for reason in document["reasons"]]
    for route, endpoints in document["routes"].items():
        for name, found in endpoints.items():
            if found["ratio"] is None:
                lines.append(f"{route:<14} {name:<6} {found['verdict']:<12} {found['reason']}")
            else:
                lines.append(
                    f"{route:<14} {name:<6} {found['verdict']:<12} ratio {found['ratio']:.3f} "
                    f"[{found['lower']:.3f}, {found['upper']:.3f}]  margin {found['margin']}"
                )
    return lines
