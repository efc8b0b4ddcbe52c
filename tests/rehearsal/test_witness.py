"""The moments at which the customers' own log shows trouble."""

from __future__ import annotations

from typing import Any

from rehearsal.witness import moments


def asked(t: float, site: str, *, status: int = 200, ms: float = 100.0) -> dict[str, Any]:
    return {"t": t, "status": status, "ms": ms, "site": site}


def test_nothing_went_wrong_and_nobody_left() -> None:
    assert moments([]) == {}
    assert moments([asked(10.0, "aws"), asked(10.1, "aws")]) == {}


def test_the_last_answer_of_the_other_site_counts_by_its_end() -> None:
    log = [asked(10.0, "aws"), asked(11.0, "oslo", ms=250), asked(11.2, "oslo", ms=20), asked(12.0, "aws")]
    assert moments(log) == {"left_until": 11.25}


def test_failures_count_from_when_they_should_have_started_to_their_end() -> None:
    log = [
        asked(10.0, "aws"),
        asked(11.0, "oslo"),
        asked(11.5, "", status=0, ms=3000),
        asked(12.0, "aws", status=503, ms=50),
        asked(13.0, "aws"),
    ]
    assert moments(log) == {"failed_from": 11.5, "failed_until": 14.5, "left_until": 11.1}


def test_the_source_is_who_answered_first_not_who_was_asked_first() -> None:
    assert moments([asked(10.0, "", status=0, ms=5000), asked(10.1, "aws"), asked(10.2, "oslo")]) == {
        "failed_from": 10.0,
        "failed_until": 15.0,
        "left_until": 10.3,
    }
