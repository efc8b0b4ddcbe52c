"""`capacity`: a real engine against a real server that has a limit; the nodes' readings are recorded ones."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from inventory.models.command import Shellable
from inventory.models.site import Workload
from tasks.drivers.errors import HostUnreachable
from tasks.drivers.ports import Output
from tasks.gates.capacity import NodeSeen
from tasks.replay.capture import read_capture
from tasks.steps import capacity as step
from tasks.steps.load_watch import LoadWatch
from tasks.steps.stage import Draft
from tasks.steps.workplace import opened
from tests.inventory.sites import WHOLE, folder_with
from tests.move.plain_kube import PlainKube
from tests.steps.conftest import Heard
from tests.steps.fakes import World

PEAK = 40
HEAD = "entries searched found new invalid ignore delete delete_list insert insert_failed drop early_drop"


class Node:
    """Answers with a table of 1,000 entries and a second in which nothing was stolen; `after` fails later."""

    def __init__(self, name: str = "oslo-1", *, count: int = 100, drops: int = 0, after: int = 10**9) -> None:
        self.name, self.count, self.drops, self.after, self.asked = name, count, drops, after, 0

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        self.asked += 1
        if self.asked > self.after:
            raise HostUnreachable(self.name, "no route")
        time.sleep(0.02)
        text = command.render()
        marker = next(word for word in text.replace("'", " ").split() if word.startswith("@@"))
        row = " ".join(["00000000"] * 10 + [f"{self.drops * (self.asked > 1):08x}", "00000000"])
        answers = (
            f"nf_conntrack_max 1000\nnf_conntrack_count {self.count}\ncores 2\n{HEAD}\n{row}\n",
            "cpu  100 0 100 800 0 0 0 0 0 0\ncpu  120 0 120 960 0 0 0 0 0 0\n",
        )
        said = "".join(f"\n{marker} begin {n}\n{a}\n{marker} end {n} 0\n" for n, a in enumerate(answers))
        return Output(0, said, "", 0.0)


def kube(ready: int = 3) -> PlainKube:
    return PlainKube(
        "oslo",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"replicas": 3},
            "status": {"readyReplicas": ready},
        },
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "oslo-1"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        },
    )


@contextmanager
def shop(most_in_half_a_second: int) -> Iterator[str]:
    """A server of its own thread that answers 503 to what goes beyond its limit; its URL."""
    seen: deque[float] = deque()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()) not in (b"\r\n", b""):
                pass
            now = time.monotonic()
            while seen and seen[0] < now - 0.5:
                seen.popleft()
            status = "200 OK" if len(seen) < most_in_half_a_second else "503 Busy"
            if status == "200 OK":
                seen.append(now)
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def site_at(folder: Path, url: str) -> Path:
    text = WHOLE.read_text().replace('url: "http://10.60.0.11"', f'url: "{url}"')
    file = folder_with(folder, f"{text}capacity: {{step_s: 1, most_factor: 4}}\n")
    line = '203.0.113.5 - - [04/Oct/2015:13:55:{s} +0200] "GET /p HTTP/1.1" 200 5 "-" "-"\n'
    (folder / "plain").write_text(line.format(s="36") * PEAK + line.format(s="38") * (PEAK // 2))
    return file


def judged(folder: Path, url: str, *, dry_run: bool = False) -> tuple[Draft, Heard]:
    heard, draft, world = Heard(), Draft(dry_run=dry_run), World()

    def drivers(site: Any) -> Any:
        made = world.drivers(site)
        made.own_hosts = {node.name: Node(node.name) for node in site.target.nodes}
        made.target_kube = kube
        return made

    with opened(site_at(folder, url), progress=heard, actor="tests", make_drivers=drivers):
        step.judge_target.fn(draft, dry_run=dry_run)
    return draft, heard


def test_the_peak_is_the_busiest_second(tmp_path: Path) -> None:
    site_at(tmp_path, "http://127.0.0.1:9")
    assert step.peak_rps(read_capture(tmp_path / "plain")) == PEAK


def test_a_dry_run_loads_nothing(tmp_path: Path) -> None:
    draft, heard = judged(tmp_path, "http://127.0.0.1:9", dry_run=True)  # nothing listens there
    assert heard.said == [
        "captured peak 40 requests/s; 60/s must be held",
        "would load http://127.0.0.1:9, from 40 to at most 160/s",
    ]
    assert (draft.findings, list(draft.figures)) == ([], ["would"])


@pytest.mark.slow
@pytest.mark.quiet
@pytest.mark.parametrize(("most", "verdict", "low", "high"), [(50, "pass", 90, 135), (24, "fail", 40, 60)])
def test_the_knee_of_a_real_server(tmp_path: Path, most: int, verdict: str, low: float, high: float) -> None:
    with shop(most) as url:
        draft, _ = judged(tmp_path, url)
    figures = draft.figures["capacity"]
    told = [(row["rate_rps"], row["outcome"], row["broken"], row["generator"]) for row in figures["steps"]]
    assert draft.findings[0].verdict == verdict, told
    assert low <= figures["knee_rps"] < high, told
    assert figures["knee_found"]
    assert "errors of" in figures["knee_broken"][0]
    nodes = [finding for finding in draft.findings if finding.code == "CAP-NODE"]
    assert [(each.subject, each.verdict) for each in nodes] == [(f"oslo-{n}", "pass") for n in (1, 2, 3)]
    assert nodes[0].observed.endswith("conntrack 10.0%, refused 0, steal p95 0.0%")
    assert "nf_conntrack_count" in nodes[0].evidence[0].excerpt


def watched(node: Node, cluster: PlainKube) -> LoadWatch:
    with LoadWatch({node.name: node}, cluster, Workload()) as watch:  # type: ignore[dict-item] # only `run` is used
        time.sleep(0.05)
    return watch


def test_the_watch_sees_table_drops_and_steal() -> None:
    watch = watched(Node(count=700, drops=5), kube())
    assert watch.seen() == (NodeSeen("oslo-1", 0.7, 5, 0.0),)
    assert watch.not_ready == ()


def test_a_node_that_stops_answering_has_shown_nothing() -> None:
    assert watched(Node(after=1), kube()).seen() == (NodeSeen("oslo-1", None, None, None),)


def test_who_is_not_ready_is_named() -> None:
    cluster = kube(ready=2)
    (node,) = cluster.list("v1", "Node")
    node["status"]["conditions"][0]["status"] = "Unknown"
    cluster.apply(node)
    assert watched(Node(), cluster).not_ready == ("deployment/shop (2 of 3)", "node/oslo-1")
    assert watched(Node(), PlainKube()).not_ready == ("deployment/shop (0 of 1)",)


def test_an_invalid_run_speaks_of_the_generator_unless_the_target_is_slow() -> None:
    result = {
        "requests": {"*": 100},
        "errors_by_route": {"*": 0},
        "response_ms": {"p99": 12.0},
        "backlog_max": 4,
        "reasons": ["backlog of 4 requests at the connection cap: raise --connections"],
    }
    watch = watched(Node(), kube())
    assert step.step_of(60, result, watch).generator == ()
    result["reasons"] = ["generator CPU 93% > 80%: lower the rate"]
    assert step.step_of(60, result, watch).generator == ("generator CPU 93% > 80%: lower the rate",)
