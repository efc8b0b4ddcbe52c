"""What a model does not accept, in words for the writer of the file: what is wrong, what is allowed."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from inventory.errors import Problem
from inventory.yaml_tree import Tree

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], tree: Tree) -> tuple[Model | None, list[Problem]]:
    """The model of a tree, or everything that keeps it from being one.

    JSON is what the model reads: in its strict mode a text is an address or a path, but `yes` is no number
    and `"22"` is no port.
    """
    try:
        return model.model_validate_json(json.dumps(tree.value), strict=True), []
    except ValidationError as error:
        return None, [_worded(model, tree, dict(detail)) for detail in error.errors(include_url=False)]


def dotted(path: Sequence[str | int]) -> str:
    """`target.nodes[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"


def known_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that may stand in the mapping at a path; empty where it is not a model."""
    here = model_in(_annotation(model, path))
    return [field.alias or name for name, field in here.model_fields.items()] if here else []


def _annotation(model: type[BaseModel], path: Sequence[str | int]) -> Any:
    """The declared type of what stands at a path; of a list, the list's."""
    here: Any = model
    for step in path:
        if isinstance(step, int):
            continue
        inner = model_in(here)
        names = {f.alias or name: f.annotation for name, f in inner.model_fields.items()} if inner else {}
        here = names.get(step)
    return here


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a declared type is, or is a list or an option of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (tuple, list, typing.Union, types.UnionType):
        return next(filter(None, map(model_in, typing.get_args(annotation))), None)
    return None


def _worded(model: type[BaseModel], tree: Tree, detail: dict[str, Any]) -> Problem:
    path = tuple(detail["loc"])
    kind = str(detail["type"])
    context = dict(detail.get("ctx") or {})
    if kind == "extra_forbidden":
        return Problem(*tree.key_place(path), _unknown(model, path))
    if path and path[-1] == "[key]":
        allowed = context.get("expected", "")
        return Problem(*tree.key_place(path[:-1]), f"unknown key {dotted(path[:-1])}; known: {allowed}")
    if kind == "missing":
        return Problem(*tree.place(path[:-1]), f"missing key {dotted(path)}")
    if kind == "value_error" and not isinstance(detail["input"], dict):
        kind = "ip_v4_network" if "IPv4Network" in str(_annotation(model, path)) else "ip_v4_address"
    if kind == "value_error":
        return Problem(*tree.key_place(path), f"{dotted(path)}: {context['error']}")
    what = _SAID[kind](detail["input"], context) if kind in _SAID else _lowered(str(detail["msg"]))
    return Problem(*tree.place(path), f"{dotted(path)}: {_value(detail['input'])} {what}")


def _unknown(model: type[BaseModel], path: tuple[str | int, ...]) -> str:
    known = known_keys(model, path[:-1])
    close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"unknown key {dotted(path)}{meant} (known: {', '.join(known)})"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else json.dumps(value)


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _network(value: Any, _: dict[str, Any]) -> str:
    try:
        meant = IPv4Network(value, strict=False)
    except (ValueError, TypeError):
        return "is not an IPv4 network (allowed: address/prefix, such as 10.244.0.0/16)"
    return f"has bits set behind its prefix: the network is {meant}"


def _text(value: Any, _: dict[str, Any]) -> str:
    if isinstance(value, bool | int | float):
        return "is not text: put it in quotes"
    return "is not text"


_SAID: dict[str, Callable[[Any, dict[str, Any]], str]] = {
    "ip_v4_network": _network,
    "ip_v4_address": lambda *_: "is not an IPv4 address (allowed: such as 10.60.0.11)",
    "string_type": _text,
    "path_type": lambda *_: "is not a path",
    "int_type": lambda *_: "is not a whole number",
    "int_from_float": lambda *_: "is not a whole number",
    "float_type": lambda *_: "is not a number",
    "bool_type": lambda *_: "is neither true nor false",
    "tuple_type": lambda *_: "is not a list",
    "model_type": lambda *_: "is not a mapping (key: value)",
    "dict_type": lambda *_: "is not a mapping (key: value)",
    "model_attributes_type": lambda *_: "is not a mapping (key: value)",
    "enum": lambda _, context: f"is not known; allowed: {context['expected']}",
    "literal_error": lambda _, context: f"is not known; allowed: {context['expected']}",
    "string_pattern_mismatch": lambda _, context: f"does not match {context['pattern']}",
    "string_too_short": lambda _, context: f"is too short: at least {context['min_length']} characters",
    "too_short": lambda _, context: f"is too short: at least {context['min_length']}",
    "greater_than": lambda _, context: f"is too small: allowed is more than {context['gt']}",
    "greater_than_equal": lambda _, context: f"is too small: the least is {context['ge']}",
    "less_than": lambda _, context: f"is too large: allowed is less than {context['lt']}",
    "less_than_equal": lambda _, context: f"is too large: the most is {context['le']}",
    "date_from_datetime_parsing": lambda *_: "is not a date (allowed: such as 2027-01-31)",
    "date_type": lambda *_: "is not a date (allowed: such as 2027-01-31)",
}
