"""Surveyors are found by being there, need reading rights only, and never let a failure look empty."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.load import load_site
from inventory.models.resource import CoverageStatus, Resource
from inventory.models.site import Site
from tasks.drivers.errors import Denied, LoginRefused, OutsideError, ServiceFailed, Throttled
from tasks.survey.iam_policy import iam_policy
from tasks.survey.kubernetes import survey_cluster
from tasks.survey.run import survey
from tasks.survey.surveyor import Ask, Surveyor, all_surveyors, status_of
from tests.inventory.sites import whole
from tests.survey.clock import StandingClock

ERRORS = {
    Denied: CoverageStatus.DENIED,
    LoginRefused: CoverageStatus.DENIED,
    Throttled: CoverageStatus.THROTTLED,
    ServiceFailed: CoverageStatus.ERROR,
}


class ScriptedAws:
    """Answers each question with the next of a list: a number of items, or an error."""

    def __init__(self, answers: Sequence[int | type[OutsideError]], regions: Sequence[str] = ("r",)) -> None:
        self._answers = list(answers)
        self._regions = regions
        self.name = "123456789012"

    def regions(self) -> Sequence[str]:
        return self._regions

    def items(
        self, service: str, region: str, operation: str, key: str, parameters: object = None
    ) -> list[dict[str, Any]]:
        answer = self._answers.pop(0)
        if isinstance(answer, int):
            return [{}] * answer
        raise answer("aws", "because")

    def call(self, *_: object, **__: object) -> dict[str, Any] | None:
        raise AssertionError("these surveyors ask for items")


def test_every_service_of_the_survey_has_one() -> None:
    services = [each.service for each in all_surveyors()]
    assert services == [
        *("cloudfront", "dynamodb", "ebs", "ec2", "ecr", "efs", "elbv2", "kms", "lambda", "logs", "rds"),
        *("route53", "s3", "secretsmanager", "sqs", "tagging"),
    ]


def test_the_policy_reads_only_and_has_every_action() -> None:
    statements = iam_policy()["Statement"]
    actions = [action for statement in statements for action in statement["Action"]]
    assert sorted(actions) == sorted({a for each in all_surveyors() for a in each.actions})
    for action in actions:
        assert re.fullmatch(r"[a-z0-9]+:(Describe|List|Get)[A-Za-z]+", action), action
    assert "s3:GetObject" not in actions


def test_the_documented_policy_is_this_one() -> None:
    file = Path(__file__).resolve().parents[2] / "docs" / "iam-policy.json"
    assert json.loads(file.read_text()) == iam_policy()


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_never_empty(error: type[OutsideError]) -> None:
    assert status_of(error("aws", "because")) is ERRORS[error]


@given(st.lists(st.one_of(st.integers(0, 3), st.sampled_from(list(ERRORS))), min_size=1, max_size=6))
def test_a_row_is_complete_only_if_every_question_was_answered(
    answers: list[int | type[OutsideError]],
) -> None:
    ask = Ask(ScriptedAws(answers), "ebs", "r")
    for _ in answers:
        ask.items("ec2", "describe_volumes", "Volumes")
    (row,) = ask.coverage()
    failed = [each for each in answers if not isinstance(each, int)]
    assert row.status.complete == (not failed)
    assert row.count == sum(each for each in answers if isinstance(each, int))
    assert (row.status is CoverageStatus.EMPTY) == (not failed and row.count == 0)
    assert bool(row.message) == bool(failed)


def test_an_answer_of_an_unknown_shape_is_an_error_and_what_was_read_is_kept(tmp_path: Path) -> None:
    def collect(ask: Ask, site: Site) -> Iterator[Resource]:
        del site
        yield Resource(service="odd", region=ask.region, kind="k", id="1")
        raise KeyError("VolumeId")

    site = load_site(whole(tmp_path))
    odd = Surveyor("odd", "region", ("odd:ListOdd",), collect)
    found = survey(site, ScriptedAws([]), [], StandingClock(), surveyors=[odd])
    assert [each.id for each in found.resources] == ["1"]
    row = next(row for row in found.coverage if row.service == "odd")
    assert row.status is CoverageStatus.ERROR
    assert "KeyError 'VolumeId'" in row.message


def test_one_region_that_fails_does_not_hide_the_others(tmp_path: Path) -> None:
    class OneDark(ScriptedAws):
        def items(
            self, service: str, region: str, operation: str, key: str, parameters: object = None
        ) -> list[dict[str, Any]]:
            if region == "dark":
                raise Denied("aws", "an SCP")
            return [{"VolumeId": f"vol-{region}"}] if operation == "describe_volumes" else []

    site = load_site(whole(tmp_path))
    (ebs,) = (each for each in all_surveyors() if each.service == "ebs")
    aws = OneDark([], ["bright", "dark", "light"])
    found = survey(site, aws, [], StandingClock(), surveyors=[ebs])
    assert [each.id for each in found.resources] == ["vol-bright", "vol-light"]
    by_place = {(row.region, row.operation): row.status for row in found.coverage}
    assert by_place["dark", "describe_volumes"] is CoverageStatus.DENIED
    assert by_place["dark", "describe_snapshots"] is CoverageStatus.DENIED
    assert by_place["bright", "describe_volumes"] is CoverageStatus.OK
    assert by_place["bright", "describe_snapshots"] is CoverageStatus.EMPTY


class FakeKube:
    """A cluster of plain objects; a kind whose objects are an error raises it."""

    name = "source"

    def __init__(self, objects: dict[tuple[str, str], list[dict[str, Any]] | OutsideError]) -> None:
        self._objects = objects

    def kinds(self) -> Sequence[tuple[str, str]]:
        return list(self._objects)

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        found = self._objects[api_version, kind]
        if isinstance(found, OutsideError):
            raise found
        return found

    def get(self, *_: object, **__: object) -> None:
        raise AssertionError("a survey lists")

    def apply(self, *_: object, **__: object) -> bool:
        raise AssertionError("a survey changes nothing")

    delete = execute = apply


def test_of_secrets_and_config_maps_nothing_but_the_names_is_kept() -> None:
    def with_content(name: str) -> dict[str, Any]:
        annotations = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2-applied"}
        labels = {"hunter2-label": "x"}
        return {
            "metadata": {
                "namespace": "shop",
                "name": name,
                "annotations": annotations,
                "labels": labels,
            },
            "data": {"hunter2-key": "hunter2"},
            "stringData": {"p": "hunter2"},
        }

    kube = FakeKube(
        {
            ("v1", "Secret"): [with_content("password")],
            ("v1", "ConfigMap"): [with_content("settings")],
            ("v1", "ServiceAccount"): [
                {"metadata": {"namespace": "shop", "name": "shop", "annotations": {"a": "hunter2"}}}
            ],
        }
    )
    resources, coverage = survey_cluster(kube)  # type: ignore[arg-type] # as far as a survey uses it
    text = "".join(each.model_dump_json() for each in (*resources, *coverage))
    assert "hunter2" not in text
    assert [each.name for each in resources] == ["password", "settings", "shop"]


def test_a_kind_that_may_not_be_listed_is_a_row_and_events_are_counted_only() -> None:
    pod = {
        "metadata": {"namespace": "shop", "name": "shop-1"},
        "spec": {"nodeName": "aws-1", "containers": [{"image": "r/shop:1"}]},
        "status": {"phase": "Running"},
    }
    kube = FakeKube(
        {
            ("v1", "Pod"): [pod],
            ("v1", "Event"): [{"metadata": {"name": "e"}}] * 3,
            ("v1", "Node"): Denied("source", "nodes is forbidden"),
        }
    )
    resources, coverage = survey_cluster(kube)  # type: ignore[arg-type] # as far as a survey uses it
    assert [each.attributes["images"] for each in resources] == [["r/shop:1"]]
    rows = {row.operation: row for row in coverage}
    assert rows["list v1 Node"].status is CoverageStatus.DENIED
    assert rows["list v1 Event"].count == 3
    assert rows["discover"].count == 3
