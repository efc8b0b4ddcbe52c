"""JSON Schema of every format that others read, from the models that write or read it.

`python -m tasks.report.schemas docs/schema` writes the files; a test holds them against the models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from inventory.models.cluster_file import ClusterFile
from inventory.models.observation import Observation
from inventory.models.resource import Survey
from inventory.models.site import Site
from inventory.models.stage import StageResult
from inventory.models.statement import Statement
from inventory.profile import Profile
from tasks.gates.latency import LatencyVerdict
from tasks.gates.rounds_file import Rounds
from tasks.report.model import Report

DRAFT = "https://json-schema.org/draft/2020-12/schema"
# Name of the format, the model, and whether people write it (input) or we do (output).
_MODELS: tuple[tuple[str, type[BaseModel], bool], ...] = (
    ("site", Site, True),
    ("cluster", ClusterFile, True),
    ("profile", Profile, True),
    ("statement", Statement, True),
    ("observation", Observation, True),
    ("survey", Survey, False),
    ("stage", StageResult, False),
    ("rounds", Rounds, True),
    ("report", Report, False),
)


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each format, by the format's name."""
    found = {
        name: model.model_json_schema(by_alias=True, mode="validation" if read else "serialization")
        for name, model, read in _MODELS
    }
    verdict = TypeAdapter(LatencyVerdict).json_schema(mode="serialization")
    verdict["properties"] = {
        "schema": {"const": "safe-harbor/latency-verdict/v1", "type": "string"},
        **verdict["properties"],
        "disturbed": {"type": "array", "items": {"type": "string"}},  # of a judged file only
    }
    verdict["required"] = ["schema", *verdict["required"]]
    found["latency-verdict"] = verdict
    return {name: {"$schema": DRAFT, **schema} for name, schema in sorted(found.items())}


def texts() -> dict[str, str]:
    """The content of each file of docs/schema, by its name."""
    return {
        f"{name}.schema.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in schemas().items()
    }


def main(arguments: list[str]) -> int:
    """Write the files into a folder."""
    folder = Path(arguments[0]) if arguments else Path("docs/schema")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
