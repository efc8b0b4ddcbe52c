"""The published JSON Schemas are those of the models, and real documents satisfy them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from inventory.models.site import LatencyGate
from tasks.gates.latency import judge
from tasks.gates.rounds_file import Round
from tasks.report.schemas import main, schemas, texts
from tests.report import sample
from tests.report.conftest import Build

FOLDER = Path(__file__).parents[2] / "docs" / "schema"


@pytest.mark.parametrize("name", sorted(texts()))
def test_the_files_are_current(name: str) -> None:
    assert (FOLDER / name).read_text() == texts()[name], "run: python -m tasks.report.schemas docs/schema"


def test_no_file_is_left_over(tmp_path: Path) -> None:
    main([str(tmp_path)])
    written = {path.name for path in tmp_path.iterdir()}
    assert {path.name for path in FOLDER.iterdir()} == written


@pytest.mark.parametrize("name", sorted(schemas()))
def test_each_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


def test_documents_satisfy_them(build: Build, tmp_path: Path) -> None:
    known = schemas()
    jsonschema.validate(json.loads(build(None).model_dump_json(by_alias=True)), known["report"])
    for path in (tmp_path / "state" / "stages").iterdir():
        jsonschema.validate(json.loads(path.read_text()), known["stage"])
    jsonschema.validate(json.loads((tmp_path / "state" / "survey.json").read_text()), known["survey"])
    rounds = [row for row in sample.figures()["replay"]["rounds"] if row["route"] == "*"]
    jsonschema.validate({"planned_rounds": 12, "rounds": rounds}, known["rounds"])
    verdict = judge([Round(**row) for row in rounds], 12, LatencyGate()).document()
    jsonschema.validate(verdict, known["latency-verdict"])


def test_a_site_file_satisfies_its_schema() -> None:
    content = yaml.safe_load((FOLDER.parents[1] / "tests" / "data" / "sites" / "whole.yaml").read_text())
    jsonschema.validate(content, schemas()["site"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"contorller": "x"}, schemas()["site"])


def test_what_is_wrong_is_refused(build: Build) -> None:
    document = json.loads(build(None).model_dump_json(by_alias=True))
    document["stages"][0]["verdict"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schemas()["report"])
    del document["ledger"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schemas()["report"])
