"""YAML text -> plain values and the place of each, with everything that YAML itself lets through refused.

PyYAML keeps the last of two equal keys without a word, expands aliases without bound and builds objects
from tags. Here a duplicate key, an alias, a tag of another language, a key that is not text, more than one
document, and nesting beyond `MAX_DEPTH` are problems, each with its line and column.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from inventory.errors import Problem

MAX_DEPTH = 32
KeyPath = tuple[str | int, ...]
Place = tuple[int, int]


@dataclass(frozen=True)
class Tree:
    """The values (JSON types only), and where each stands: `places[("target", "nodes", 0, "name")]`.

    `places` has the place of the value, `keys` that of its key; the root is `()`.
    """

    value: Any
    places: dict[KeyPath, Place]
    keys: dict[KeyPath, Place]
    problems: tuple[Problem, ...] = ()

    def place(self, path: Sequence[str | int]) -> Place:
        """Where the value stands, or the nearest thing above it that is there."""
        for length in range(len(path), -1, -1):
            if (found := self.places.get(tuple(path[:length]))) is not None:
                return found
        return (1, 1)

    def key_place(self, path: Sequence[str | int]) -> Place:
        """Where the key of the value stands, or the value, or the nearest thing above."""
        return self.keys.get(tuple(path)) or self.place(path)

    def get(self, path: Sequence[str | int]) -> Any:
        """The value at a path, None where there is none."""
        value = self.value
        for step in path:
            in_mapping = isinstance(value, dict) and step in value
            in_list = isinstance(value, list) and isinstance(step, int) and step < len(value)
            if not in_mapping and not in_list:
                return None
            value = value[step]
        return value


def parse(text: str) -> Tree:
    """The tree of a text; what is wrong with the YAML itself is in its `problems`, and nothing raises."""
    refused = _refused_events(text)
    if refused:
        return Tree(None, {}, {}, tuple(refused))
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Tree(None, {}, {}, (Problem(1, 1, "the file is empty"),))
        builder = _Builder(loader)
        value = builder.build(node, ())
    except yaml.MarkedYAMLError as error:
        return Tree(None, {}, {}, (_problem(error),))
    finally:
        loader.dispose()
    return Tree(value, builder.places, builder.keys, tuple(builder.problems))


def _problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = ", ".join(part for part in (error.context, error.problem) if part)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return Problem(line, column, f"not YAML: {what}")


def _refused_events(text: str) -> list[Problem]:
    """Syntax errors, aliases and deep nesting, found without building anything."""
    problems: list[Problem] = []
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            mark = event.start_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            if isinstance(event, yaml.AliasEvent):
                what = f"the alias *{event.anchor} is not allowed here: write the value out"
                problems.append(Problem(line, column, what))
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    return [*problems, Problem(line, column, f"nested deeper than {MAX_DEPTH} levels")]
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.MarkedYAMLError as error:
        problems.append(_problem(error))
    except yaml.reader.ReaderError as error:
        before = text[: int(error.position)]
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        problems.append(
            Problem(line, column, f"not YAML: the character #x{int(error.character):04x} is not allowed")
        )
    return problems


class _Builder:
    """Builds the values of a node tree and notes the places."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self.places: dict[KeyPath, Place] = {}
        self.keys: dict[KeyPath, Place] = {}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.places[path] = _place(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        value = self._loader.construct_object(node)
        if isinstance(value, datetime.date | datetime.datetime):
            return value.isoformat()
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            self.problems.append(Problem(*_place(node), f"{node.value} is not a number that can be used"))
            return None
        if isinstance(value, bytes | set):
            self.problems.append(Problem(*_place(node), f"a value of the kind {node.tag} is not allowed"))
            return None
        return value

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line, column = _place(key_node)
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                shown = key if isinstance(key, str) else "this"
                what = f"{shown}: a key must be text; put it in quotes if it is meant as text"
                self.problems.append(Problem(line, column, what))
                continue
            here = (*path, key)
            if key in built:
                first = self.keys[here][0]
                name = ".".join(str(part) for part in here)
                self.problems.append(
                    Problem(line, column, f"duplicate key {name}: it stands in line {first} already")
                )
                continue
            self.keys[here] = (line, column)
            built[key] = self.build(value_node, here)
        return built


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1
