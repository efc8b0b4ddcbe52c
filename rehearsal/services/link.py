"""The link between the sides: toxiproxy on the public addresses, and its delay.

The services are seeded before the delay is on. The API listens in the link's namespace only, so it is
asked by a program that runs in there.
"""

from __future__ import annotations

import json
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

from rehearsal.plan import Plan
from rehearsal.state import State
from tasks.drivers.errors import ServiceFailed

NAME = "link"


def start_link(plan: Plan, state: State, toxiproxy: Path) -> None:
    """Start the link with every way of the plan, with no delay yet. Raises OutsideError."""
    folder = plan.state / "link"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "ways.json"
    config.write_text(
        json.dumps(
            [
                {"name": way.name, "listen": way.listen, "upstream": way.upstream, "enabled": True}
                for way in plan.ways
            ],
            indent=1,
        )
    )
    host, _, port = plan.toxiproxy_api.rpartition(":")
    running = state.run_process(
        NAME, [toxiproxy, "-host", host, "-port", port, "-config", config], netns=plan.wan_netns
    )
    state.wait_until(running, lambda: _ready(plan), what="listening on every way", within_s=15)


def set_delay(plan: Plan, *, on: bool = True) -> None:
    """Delay what comes back on every way by its `delay_ms`, or not. Asking twice is asking once."""
    for way in plan.ways:
        if not way.delay_ms:
            continue
        toxics = _ask(plan, "GET", f"/proxies/{way.name}/toxics")
        there = any(toxic["name"] == "delay" for toxic in toxics)
        if on and not there:
            toxic = {
                "name": "delay",
                "type": "latency",
                "stream": "downstream",
                "attributes": {"latency": way.delay_ms, "jitter": 0},
            }
            _ask(plan, "POST", f"/proxies/{way.name}/toxics", toxic)
        if there and not on:
            _ask(plan, "DELETE", f"/proxies/{way.name}/toxics/delay")


def set_way(plan: Plan, name: str, *, up: bool) -> None:
    """Cut one way of the link, or mend it. Raises ServiceFailed where there is no such way."""
    if name not in {way.name for way in plan.ways}:
        known = ", ".join(way.name for way in plan.ways)
        raise ServiceFailed(NAME, f"no way {name!r}; there are {known}")
    _ask(plan, "POST", f"/proxies/{name}", {"enabled": up})


def _ready(plan: Plan) -> bool:
    try:
        ways = _ask(plan, "GET", "/proxies")
    except ServiceFailed:
        return False
    return all(way.name in ways and ways[way.name]["enabled"] for way in plan.ways)


def _ask(plan: Plan, method: str, path: str, body: Any = None) -> Any:
    url = f"http://{plan.toxiproxy_api}{urllib.parse.quote(path)}"
    inside = ["nsenter", f"--net=/run/netns/{plan.wan_netns}", "--"] if plan.wan_netns else []
    argv = [*inside, "curl", "-sS", "-m", "5", "-X", method,
            "-w", "\n%{http_code}", "-H", "Content-Type: application/json", "--data-binary", "@-",
            url]  # fmt: skip
    done = subprocess.run(
        argv, input=json.dumps(body) if body is not None else "", capture_output=True, text=True, check=False
    )
    text, _, status = done.stdout.rpartition("\n")
    if done.returncode or not status.startswith("2"):
        raise ServiceFailed(NAME, f"{method} {path}: {done.stderr.strip() or text.strip() or status}")
    return json.loads(text) if text.strip() else None
