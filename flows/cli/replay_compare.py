"""`replay compare`: do two URLs answer a capture's requests the same?"""

from __future__ import annotations

from pathlib import Path

from flows.cli.exits import Exit, print_json
from flows.cli.replay_run import Selected, selection_of
from flows.cli.terminal import progress_bar

_ALL = Selected()


def replay_compare(
    *,
    capture: Path,
    source: str,
    target: str,
    out: Path,
    requests: int = 200,
    ignore_json: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    header: tuple[str, ...] = (),
    ca_file: Path | None = None,
    allow: tuple[str, ...] = (),
    selected: Selected = _ALL,
    json: bool = False,
) -> int:
    """Ask both URLs the same requests and show what differs; noise is learned from the source, asked twice.

    Example: safe-harbor replay compare --capture a --source http://127.0.0.1 --target http://[::1] --out c

    Parameters
    ----------
    capture
        An access log (combined, JSON, ALB), HAR, k6, vegeta or goreplay file; plain, gzip or zstd.
    source
        The base URL whose answers are right.
    target
        The base URL whose answers are compared with them.
    out
        The folder for comparison.json and differences.diff.
    requests
        How many distinct requests are asked, the most frequent first.
    ignore_json
        A JSONPath whose values are not compared, as '$.items[*].seen_at'; may be given several times.
    ignore
        A regular expression whose text is not compared, as 'nonce-[0-9a-f]+'; may be given several times.
    header
        A header that is compared, in place of content-type, location, cache-control and content-encoding.
    ca_file
        Certificates (PEM) of the authority to trust on both sides, in place of the system's.
    allow
        An address that may be asked, beside loopback.
    json
        Print comparison.json on stdout.
    """
    from inventory.models.replay import COMPARED_HEADERS
    from tasks.replay.compare_run import compare_sides
    from tasks.replay.comparison import Rules

    rules = Rules(ignore_json, ignore, header or COMPARED_HEADERS)
    with progress_bar(f"comparing {capture.name}") as told:
        result = compare_sides(
            capture,
            source,
            target,
            out,
            rules,
            requests=requests,
            allow=allow,
            max_bad=selected.max_bad,
            selection=selection_of(selected),
            form=selected.format,
            ca_file=str(ca_file or ""),
            on_progress=told,
        )
    if json:
        print_json(result)
    else:
        counts = ("compared", "same", "different", "varying", "unanswered")
        print("  ".join(f"{result[name]} {name}" for name in counts))  # noqa: T201 - the answer of the command
        print(out / "differences.diff")  # noqa: T201
    return Exit.DONE if result["equal"] else Exit.NOT_A_PASS
