"""Which kinds an API server has, and under which path each is found (API discovery)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Served:
    """One kind as a server has it; `plural` is the word in its paths."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    listable: bool

    def path(self, namespace: str | None = None, name: str = "") -> str:
        """The path of one object, or of all of a namespace or of the whole cluster.

        Raises ValueError for one object of a namespaced kind without its namespace.
        """
        prefix = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        if self.namespaced and name and not namespace:
            raise ValueError(f"{self.kind} {name} lies in a namespace, and none is given")
        if self.namespaced and namespace:
            prefix += f"/namespaces/{quote(namespace)}"
        return f"{prefix}/{self.plural}" + (f"/{quote(name)}" if name else "")


class Catalogue:
    """What the server has, read at the first question and kept; a missing kind is looked up once more,
    because a CRD may have come meanwhile."""

    def __init__(self, fetch: Callable[[str], dict[str, Any]]) -> None:
        self._fetch = fetch
        self._known: dict[str, tuple[Served, ...]] = {}

    def find(self, api_version: str, kind: str) -> Served | None:
        """The kind, or None where the server has none such."""
        return self._in(api_version, kind) or self._in(api_version, kind, fresh=True)

    def listable(self) -> Sequence[tuple[str, str]]:
        """(apiVersion, kind) of all that can be listed, each kind once, in its group's preferred version."""
        found: dict[tuple[str, str], str] = {}
        for api_version in self._versions():
            group = api_version.rpartition("/")[0]
            for served in self._read(api_version):
                if served.listable:
                    found.setdefault((group, served.kind), api_version)
        return sorted((api_version, kind) for (_, kind), api_version in found.items())

    def _in(self, api_version: str, kind: str, *, fresh: bool = False) -> Served | None:
        known = self._known.get(api_version)
        if known is None or fresh:
            if api_version != "v1" and api_version not in self._versions():
                return None
            known = self._read(api_version)
        return next((served for served in known if served.kind == kind), None)

    def _versions(self) -> list[str]:
        """Every group version, each group's preferred one first."""
        versions = ["v1"]
        for group in self._fetch("/apis")["groups"]:
            preferred = group["preferredVersion"]["groupVersion"]
            others = [v["groupVersion"] for v in group["versions"] if v["groupVersion"] != preferred]
            versions += [preferred, *others]
        return versions

    def _read(self, api_version: str) -> tuple[Served, ...]:
        path = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
        known = tuple(
            Served(
                api_version=api_version,
                kind=resource["kind"],
                plural=resource["name"],
                namespaced=resource["namespaced"],
                listable="list" in resource["verbs"],
            )
            for resource in self._fetch(path)["resources"]
            if "/" not in resource["name"]  # a subresource such as pods/exec
        )
        self._known[api_version] = known
        return known
