"""`safe-harbor replay compare`: a capture's requests, asked of both sides, and the report of what differs.

Files in `out_dir`: `comparison.json`, and `differences.diff` for people.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from inventory.errors import BadInput
from tasks.replay.asking import asker
from tasks.replay.capture import Capture, Target, read_capture
from tasks.replay.comparison import Rules, compare
from tasks.replay.selection import SAFE_METHODS, Selection
from tasks.replay.target_url import Endpoint, endpoint_of, probe
from tasks.replay.worker import tls_context

TIMEOUT_S = 10.0


def compare_sides(
    capture: Path,
    source: str,
    target: str,
    out_dir: Path,
    rules: Rules,
    *,
    requests: int,
    on_progress: Callable[[int, int], None],  # (requests compared, requests in all)
    allow: Sequence[str] = (),
    max_bad: int = 0,
    selection: Selection | None = None,
    form: str = "",
    ca_file: str = "",
) -> dict[str, Any]:
    """Compares the answers to the `requests` most frequent distinct requests; gives what comparison.json has.

    Raises BadInput, HostUnreachable.
    """
    if requests < 1:
        raise BadInput(f"--requests {requests}: at least 1")
    if selection and selection.unsafe:
        raise BadInput(
            "a comparison asks each request three times; requests that change a side are not compared"
        )
    sides = [endpoint_of(url, allow) for url in (source, target)]
    read = read_capture(capture, max_bad, selection, form)
    return compare_capture(
        read, (sides[0], sides[1]), out_dir, rules, requests, on_progress, (ca_file, ca_file)
    )


def compare_capture(
    capture: Capture,
    sides: tuple[Endpoint, Endpoint],
    out_dir: Path,
    rules: Rules,
    requests: int,
    on_progress: Callable[[int, int], None],  # (requests compared, requests in all)
    ca_files: tuple[str, str] = ("", ""),
) -> dict[str, Any]:
    """The same of a capture that was read, `sides` and `ca_files` being source and target; requests that
    change a side are left out.

    Raises BadInput for a CA file that is none, HostUnreachable.
    """
    contexts = [_trusting(side, ca_file) for side, ca_file in zip(sides, ca_files, strict=True)]
    for side in sides:
        probe(side)
    chosen = _most_frequent(capture, requests)
    source, target = (asker(*side, TIMEOUT_S) for side in zip(sides, contexts, strict=True))
    found = compare(chosen, source, target, rules, lambda done: on_progress(done, len(chosen)))
    result = {
        "schema": "safe-harbor/comparison/v1",
        "capture": {"file": str(capture.file), "format": capture.form, "lines_bad": capture.bad_lines},
        "source": _told(sides[0]),
        "target": _told(sides[1]),
        "equal": found.equal,
        "distinct_requests": len(capture.targets),
        **asdict(found),
    }
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / "comparison.json").write_text(json.dumps(result, indent=1) + "\n")
    pages = (f"=== {d['request']}\n" + "\n".join(d["diff"]) for d in found.first_differences)
    (out_dir / "differences.diff").write_text("\n\n".join([*pages, ""]))
    return result


def _most_frequent(capture: Capture, count: int) -> list[Target]:
    use = np.bincount(np.frombuffer(capture.target, dtype=np.uint32), minlength=len(capture.targets))
    frequent = (capture.targets[n] for n in np.argsort(-use, kind="stable"))
    return list(islice((target for target in frequent if target.method in SAFE_METHODS), count))


def _trusting(side: Endpoint, ca_file: str) -> ssl.SSLContext | None:
    if not side.tls:
        return None
    try:
        return tls_context(ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise BadInput(f"the CA file cannot be used: {error}", ca_file) from error


def _told(endpoint: Endpoint) -> dict[str, str]:
    return {"url": endpoint.url, "address": endpoint.where}
