"""A paused approval is answered as the Prefect UI does it: over the API of a server that the run started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.ledger import read_entries
from tests.inventory.sites import WHOLE, folder_with
from tests.steps.conftest import QUICK
from tests.steps.test_approve import DIGEST, GIVEN

pytestmark = pytest.mark.slow

PATIENCE_S = 90.0


class Api:
    """The running flow's server, asked by plain HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self._url}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def runs(self, **state: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.post("/flow_runs/filter", {"flow_runs": {"state": state}})
        return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that waits for a person, none being at a terminal; and its site."""
    file = folder_with(tmp_path / "site", WHOLE.read_text() + QUICK)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.flows.approving", str(file)],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, file
    finally:
        process.terminate()
        process.communicate()


def waiting(process: subprocess.Popen[str], file: Path) -> tuple[Api, dict[str, Any]]:
    """The server, and the run that waits."""
    place = file.parent / "state" / "prefect" / "server.json"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        if place.exists():
            api = Api(json.loads(place.read_text())["api_url"])
            if found := api.runs(type={"any_": ["PAUSED"]}):
                return api, found[0]
        time.sleep(0.2)
    raise AssertionError("nothing waits for an approval")


def test_a_subflow_that_waits_is_approved_over_the_api(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    process, file = running
    api, run = waiting(process, file)
    assert run["name"]
    assert run["parent_task_run_id"], "it is a flow within a flow"
    (outer,) = [each for each in api.runs(type={"any_": ["RUNNING"]}) if not each["parent_task_run_id"]]
    assert outer["id"] != run["id"]

    refused = api.post(f"/flow_runs/{run['id']}/resume", {"run_input": {**GIVEN, "approve": "perhaps"}})
    assert refused["status"] == "REJECT", "the form's own types are checked"
    assert api.runs(type={"any_": ["PAUSED"]}), "it waits on"

    taken = api.post(f"/flow_runs/{run['id']}/resume", {"run_input": GIVEN})
    assert taken["status"] == "ACCEPT"
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert out.strip() == "Kari Nordmann"
    (approval,) = [
        entry for entry in read_entries(file.parent / "state" / "ledger") if entry.kind == "approval"
    ]
    assert (approval.body["digest"], approval.body["how"]) == (DIGEST, "given by a person")


def test_a_resume_of_the_flow_around_it_approves_nothing(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    process, file = running
    api, run = waiting(process, file)
    (outer,) = [each for each in api.runs(type={"any_": ["RUNNING"]}) if not each["parent_task_run_id"]]
    answer = api.post(f"/flow_runs/{outer['id']}/resume", {"run_input": GIVEN})
    assert answer["status"] != "ACCEPT"
    taken = api.post(f"/flow_runs/{run['id']}/resume", {})
    assert taken["status"] == "ACCEPT"
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "it does not approve" in err
    assert not [e for e in read_entries(file.parent / "state" / "ledger") if e.kind == "approval"]
