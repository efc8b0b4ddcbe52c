"""Answers of stand-alone commands as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        *_sessions(result["sessions"]),
        *([f"processes {result['processes']}"] if result.get("generators") else []),
        *_spread(result.get("spread", {}).get("generators", [])),
        f"valid: {'yes' if result['valid'] else 'no, ' + '; '.join(result['reasons'])}",
        str(out / "result.json"),
    ]
    return "\n".join(lines)


def _sessions(counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return []
    waited = f"{counts['waited']} requests waited for their client's connection"
    return [f"sessions  {counts['clients']} clients, {waited}"]


def _spread(generators: Sequence[Mapping[str, Any]]) -> list[str]:
    if not generators:
        return []
    hosts = ", ".join(sorted({row["host"] for row in generators}))
    clocks_ms = max(abs(row["clock_offset_ms"]) + row["clock_error_ms"] for row in generators)
    return [f"spread    {len(generators)} generators on {hosts}, clocks within {clocks_ms:.1f} ms"]


def verdict_lines(document: Mapping[str, Any]) -> list[str]:
    """A latency verdict: one line for it, one for each endpoint."""
    lines = [f"latency: {document['verdict']} after {document['looks'][-1]['rounds']} rounds"]
    lines += [f"  {reason}" for reason in document["reasons"]]
    lines += _route_lines("", document["routes"])
    lines += _route_lines("server ", document["server_routes"])
    if not document["server_routes"]:
        lines.append("server-side latency: not measured; a nearer site can hide slower compute")
    lines += [f"disturbed: {each}" for each in document["disturbed"]]
    return lines


def pilot_lines(document: Mapping[str, Any]) -> list[str]:
    """A pilot: how many rounds to plan, and one line for each endpoint."""
    planned = document["planned_rounds"]
    lines = [f"pilot: {document['verdict']} after {document['rounds']} rounds"]
    lines += [f"  {reason}" for reason in document["reasons"]]
    lines += [f"plan {planned} rounds (replay.rounds)"] if planned else []
    for route, endpoints in document["routes"].items():
        for name, found in endpoints.items():
            lines.append(
                f"{route:<14} {name:<6} sigma_d {found['sigma_d']:.4f}  rounds {found['rounds_needed']}  "
                f"ratio {found['ratio']:.3f} [{found['lower']:.3f}, {found['upper']:.3f}]"
            )
    return lines


def _route_lines(prefix: str, routes: Mapping[str, Any]) -> Iterator[str]:
    for route, endpoints in routes.items():
        for name, found in endpoints.items():
            start = f"{prefix + route:<14} {name:<6} {found['verdict']:<12}"
            if found["ratio"] is None:
                yield f"{start} {found['reason']}"
            else:
                yield (
                    f"{start} ratio {found['ratio']:.3f} [{found['lower']:.3f}, {found['upper']:.3f}]  "
                    f"margin {found['margin']}"
                )
