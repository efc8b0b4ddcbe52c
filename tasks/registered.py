"""A thing is registered by being there: a module of its room that defines the room's name for it.

Law: knows packages and names, nothing of what is in them. The registries of checks, networks and surveyors
stand on it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType


def modules_with(room: ModuleType, name: str) -> Iterator[ModuleType]:
    """The modules in a package and its folders that define `name`, in the order of their paths."""
    for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        module = importlib.import_module(found.name)
        if getattr(module, name, None) is not None:
            yield module
