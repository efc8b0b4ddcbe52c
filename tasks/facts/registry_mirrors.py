"""Whom containerd asks instead of an image's own registry: mirrors, which are pull-through caches.

Both ways of saying it: `hosts.toml` in a folder of `certs.d` (containerd's docs/hosts.md), and `mirrors` of
the CRI plugin in config.toml. The latter file may hold passwords of registries: only names leave the parse.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inventory.models.command import Shellable
from tasks.facts import config_files
from tasks.facts.asked import Asked

_FOLDERS = ("/etc/containerd/certs.d", "/etc/docker/certs.d")
_CONFIGS = ("/etc/containerd/config.toml", "/etc/containerd/conf.d/*.toml")
_PLUGINS = ("io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri", "cri")
_DOCKER_HUB = ("docker.io", "registry-1.docker.io", "index.docker.io")


@dataclass(frozen=True, order=True)
class Mirror:
    """Images named with `registry` are asked of `host`; `_default` are all that have no rule of their own."""

    registry: str
    host: str


@dataclass(frozen=True)
class Mirrors:
    """`unread` are folders of mirrors that the configuration names and that were not looked into."""

    mirrors: tuple[Mirror, ...]
    unread: tuple[str, ...]


def command() -> Shellable:
    """Ask for the files."""
    return config_files.command((*_CONFIGS, *(f"{folder}/*/hosts.toml" for folder in _FOLDERS)))


def parse(output: str) -> Mirrors:
    """Raises ValueError where a file is no TOML; its text is not told."""
    mirrors: set[Mirror] = set()
    unread: set[str] = set()
    for file in config_files.parse(output):
        try:
            content = tomllib.loads(file.text)
        except tomllib.TOMLDecodeError:
            raise ValueError(f"{file.path} is no TOML") from None
        if file.name == "hosts.toml":
            registry = file.folder.rpartition("/")[2]
            urls = [*(content.get("host") or {}), content.get("server") or ""]
            mirrors |= {Mirror(registry, host) for host in map(_host, urls) if _other(registry, host)}
            continue
        for settings in _registries(content):
            folders = str(settings.get("config_path") or "").split(":")
            unread |= {folder for folder in folders if folder and folder.rstrip("/") not in _FOLDERS}
            for name, rule in (settings.get("mirrors") or {}).items():
                hosts = map(_host, rule.get("endpoint") or ())
                mirrors |= {Mirror(name, host) for host in hosts if _other(name, host)}
    return Mirrors(tuple(sorted(mirrors)), tuple(sorted(unread)))


def ask() -> Asked[Mirrors]:
    """The question."""
    return Asked("registry-mirrors", command(), parse)


def _registries(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    plugins = content.get("plugins") or {}
    for name in _PLUGINS:
        yield (plugins.get(name) or {}).get("registry") or {}


def _host(url: str) -> str:
    """HOST or HOST:PORT of a URL, or of a host without a scheme."""
    return (url.partition("://")[2] or url).partition("/")[0].rpartition("@")[2]


def _other(registry: str, host: str) -> bool:
    """Whether the host is not the registry itself; a folder writes HOST_PORT_ for HOST:PORT, too."""
    if registry in _DOCKER_HUB and host in _DOCKER_HUB:
        return False
    bare = host.removesuffix(":443")
    return bool(host) and registry.removesuffix(":443") != bare and registry != f"{host.replace(':', '_')}_"
