"""The approval by the form of the Prefect UI: a pause of the flow that somebody else resumes."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import NotPausedError
from prefect.flow_runs import resume_flow_run

import flows.approve as module
from inventory.models.stage import StageResult
from inventory.models.verdict import Verdict
from tasks.steps.stage import StageRefused
from tests.inventory.sites import WHOLE, folder_with
from tests.steps.conftest import QUICK, Opening
from tests.steps.test_approve import DIGEST, GIVEN, gate_says

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect")]


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """No standing approval."""
    return folder_with(tmp_path / "site", WHOLE.read_text() + QUICK)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "POLL_S", 1)
    monkeypatch.setattr(module, "PATIENCE_S", 40)
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115, PTH123 - closed by the process
    yield


def paused() -> FlowRun | None:
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=state), sort=FlowRunSort.START_TIME_DESC, limit=1
        )
    return found[0] if found else None


def resume_with(given: dict[str, Any] | None) -> Callable[[], None]:
    def work() -> None:
        deadline = time.monotonic() + 30
        while (found := paused()) is None:
            assert time.monotonic() < deadline, "nothing waits for an approval"
            time.sleep(0.1)
        try:
            resume_flow_run(found.id, run_input=given)
        except NotPausedError:
            raise AssertionError("it does not wait any more") from None

    return work


def approve_while(opening: Opening, site_file: Path, given: dict[str, Any] | None) -> StageResult:
    """Run the flow; a second thread, with this one's context, answers the form."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            resume_with(given)()
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread of the test
            failed.append(error)

    with opening() as place:
        gate_says(place)
        context = contextvars.copy_context()
        other = threading.Thread(target=lambda: context.run(work))
        other.start()
        try:
            return module.approve(str(site_file))
        finally:
            other.join(40)
            if failed:
                raise failed[0]


def test_the_form_approves(opening: Opening, site_file: Path) -> None:
    result = approve_while(opening, site_file, GIVEN)
    assert result.verdict is Verdict.PASS
    assert result.figures["approver"] == "Kari Nordmann"
    with opening() as place:
        (entry,) = place.ledger.entries(kind="approval")
        assert (entry.body["digest"], entry.body["how"]) == (DIGEST, "given by a person")


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({**GIVEN, "approve": False}, "it does not approve"),
        ({**GIVEN, "evidence_digest": "cd" * 32}, "its digest is not that"),
        (None, "it does not approve, it names no approver"),
    ],
    ids=["rejected", "other evidence", "no input"],
)
def test_anything_else_is_no_approval(
    opening: Opening, site_file: Path, given: dict[str, Any] | None, because: str
) -> None:
    with pytest.raises(StageRefused, match=because):
        approve_while(opening, site_file, given)
    with opening() as place:
        assert place.ledger.entries(kind="approval") == []
        assert place.ledger.entries(kind="decision", subject="approval/refused")


def test_nobody_answers(opening: Opening, site_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 2)
    with opening() as place:
        gate_says(place)
        with pytest.raises(StageRefused, match="no approval"):
            module.approve(str(site_file))
        assert place.ledger.entries(kind="approval") == []
        assert place.ledger.open_intents() == []
