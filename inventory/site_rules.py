"""What a site file must hold together for: networks that keep clear of each other, addresses, names.

The rules read the tree, not the model, so that they speak even where the model is not complete yet, and so
that each has the place of the value it is about. A value of the wrong form is the model's to report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from inventory.errors import Problem
from inventory.models.cluster import Cluster, Role
from inventory.schema_errors import dotted
from inventory.site_limits import SUBJECT, Numbers, broken, overlapping
from inventory.yaml_tree import KeyPath, Tree

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?", re.IGNORECASE)
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")

_HOSTS = (
    "source.edge.address",
    "source.database.host",
    "target.edge.address",
    "target.database.host",
    "dns.server",
    "dns.zone",
    "dns.name",
)
_HOST_PORTS = (
    "target.cluster.api_endpoint",
    "source.registry.address",
    "source.database.reachable_as",
    "target.registry.address",
    "target.database.reachable_as",
)
_URLS = (
    "source.aws.endpoint_url",
    "source.edge.url",
    "source.bucket.endpoint_url",
    "source.bucket.url",
    "source.proxy_metrics",
    "target.edge.url",
    "target.bucket.endpoint_url",
    "target.bucket.url",
)


def problems_of_rules(tree: Tree) -> list[Problem]:
    """Everything that the rules find, in no particular order."""
    return [*_limits(tree), *_networks(tree), *_nodes(tree), *_formats(tree), *_names(tree), *_replay(tree)]


def _limits(tree: Tree) -> Iterator[Problem]:
    """The named rules, without those that a waiver lets through (whether it has expired, `prepare` says)."""
    networks = dict(_declared_networks(tree))
    found = list(overlapping({dotted(path): network for path, network in networks.items()}))
    numbers = _numbers(tree, networks)
    if numbers is not None:
        found += broken(numbers)
    places = {dotted(path): path for path in networks}
    waived = {
        each.get("check")
        for each in _listed(tree, ("waivers",))
        if isinstance(each, dict) and each.get("subject") in (SUBJECT, "*")
    }
    for each in found:
        if each.rule not in waived:
            path = places.get(each.key, tuple(each.key.split(".")))
            about = "" if each.what.startswith(each.key) else f"{each.key}: "
            yield Problem(*tree.place(path), f"{about}{each.what} [{each.rule}]")


def _numbers(tree: Tree, networks: Mapping[KeyPath, IPv4Network]) -> Numbers | None:
    """What the rules judge, with the model's defaults; None where a value is missing or of the wrong form."""
    cluster: KeyPath = ("target", "cluster")
    pods, services = networks.get((*cluster, "pod_cidr")), networks.get((*cluster, "service_cidr"))
    nodes = [node for node in _listed(tree, ("target", "nodes")) if isinstance(node, dict)]
    sizes = [
        tree.get((*cluster, name))
        if tree.get((*cluster, name)) is not None
        else Cluster.model_fields[name].default
        for name in ("subnet_len", "max_pods")
    ]
    planes = sum(Role.CONTROL_PLANE in (node.get("roles") or ()) for node in nodes)
    if pods is None or services is None or not planes or not all(type(size) is int for size in sizes):
        return None  # the model says what is wrong
    return Numbers(planes, len(nodes), pods, services, *sizes)


def _networks(tree: Tree) -> Iterator[Problem]:
    declared = list(_declared_networks(tree))
    for path, address in _addresses(tree):
        for network_path, network in declared:
            inside_cluster = network_path[:2] == ("target", "cluster")
            if address in network and inside_cluster:
                what = f"the address {address} lies in {dotted(network_path)} {network}"
                yield Problem(*tree.place(path), f"{dotted(path)}: {what}")
            if network_path == ("target", "underlay") and path[0] == "target" and address not in network:
                what = f"the address {address} lies outside target.underlay {network}"
                yield Problem(*tree.place(path), f"{dotted(path)}: {what}")


def _declared_networks(tree: Tree) -> Iterator[tuple[KeyPath, IPv4Network]]:
    paths: list[KeyPath] = [
        ("target", "cluster", "pod_cidr"),
        ("target", "cluster", "service_cidr"),
        ("target", "underlay"),
    ]
    listed = tree.get(("source", "networks"))
    if isinstance(listed, list):
        paths += [("source", "networks", index) for index in range(len(listed))]
    for path in paths:
        value = tree.get(path)
        try:
            if isinstance(value, str):
                yield path, IPv4Network(value)
        except ValueError:
            continue  # the model says what is wrong with it


def _addresses(tree: Tree) -> Iterator[tuple[KeyPath, IPv4Address]]:
    for side in ("source", "target"):
        for index, node in enumerate(_listed(tree, (side, "nodes"))):
            path: KeyPath = (side, "nodes", index, "address")
            value = node.get("address") if isinstance(node, dict) else None
            try:
                if isinstance(value, str):
                    yield path, IPv4Address(value)
            except ValueError:
                continue  # the model says what is wrong with it


def _nodes(tree: Tree) -> Iterator[Problem]:
    seen: dict[tuple[str, str], KeyPath] = {}
    for side in ("source", "target"):
        for index, node in enumerate(_listed(tree, (side, "nodes"))):
            for key in ("name", "address"):
                value = node.get(key) if isinstance(node, dict) else None
                if not isinstance(value, str):
                    continue
                path: KeyPath = (side, "nodes", index, key)
                first = seen.setdefault((key, value), path)
                if first != path:
                    line = tree.place(first)[0]
                    what = f"two nodes have the {key} {value} (the other: line {line})"
                    yield Problem(*tree.place(path), f"{dotted(path)}: {what}")


def _formats(tree: Tree) -> Iterator[Problem]:
    for names, fits, allowed in (
        (_HOSTS, _is_host, "an IPv4 address or a host name"),
        (_HOST_PORTS, _is_host_port, "HOST:PORT, the port from 1 to 65535"),
        (_URLS, _is_url, "http:// or https://, a host, and no user or password"),
    ):
        for name in names:
            path: KeyPath = tuple(name.split("."))
            value = tree.get(path)
            if isinstance(value, str) and value and not fits(value):
                yield Problem(*tree.place(path), f"{name}: {value!r} is not accepted; allowed: {allowed}")
    aws: KeyPath = ("source", "aws")
    regions: list[KeyPath] = [(*aws, "regions", i) for i in range(len(_listed(tree, (*aws, "regions"))))]
    for path in [*regions, (*aws, "home_region")]:
        value = tree.get(path)
        if isinstance(value, str) and not _REGION.fullmatch(value):
            what = f"{value!r} is not an AWS region (allowed: such as us-east-1)"
            yield Problem(*tree.place(path), f"{dotted(path)}: {what}")


def _names(tree: Tree) -> Iterator[Problem]:
    zone, name = tree.get(("dns", "zone")), tree.get(("dns", "name"))
    if isinstance(zone, str) and isinstance(name, str) and not f".{name}".endswith(f".{zone}"):
        place = tree.place(("dns", "name"))
        yield Problem(*place, f"dns.name: {name} is not in the zone {zone}")
    for side in ("source", "target"):
        path: KeyPath = (side, "edge", "runtime")
        runtime = tree.get(path)
        if not isinstance(runtime, str):
            continue
        scheme, _, rest = runtime.partition("://")
        host = rest.partition("/")[0]
        nodes = [n.get("name") for n in _listed(tree, (side, "nodes")) if isinstance(n, dict)]
        if scheme == "ssh" and host not in nodes:
            what = f"no node of {side}.nodes has the name {host}"
            known = ", ".join(str(each) for each in nodes) or "none"
            yield Problem(*tree.place(path), f"{dotted(path)}: {what} (declared: {known})")
        if scheme == "tcp" and not _is_host_port(rest):
            yield Problem(*tree.place(path), f"{dotted(path)}: {runtime!r} has no usable HOST:PORT")


def _replay(tree: Tree) -> Iterator[Problem]:
    for side in ("source", "target"):
        path: KeyPath = ("replay", side, "ca_file")
        url = tree.get((side, "edge", "url"))
        if isinstance(tree.get(path), str) and isinstance(url, str) and url.startswith("http://"):
            what = f"{side}.edge.url is {url}: without TLS there is nothing to verify"
            yield Problem(*tree.place(path), f"{dotted(path)}: {what}")


def _listed(tree: Tree, path: KeyPath) -> list[Any]:
    value = tree.get(path)
    return value if isinstance(value, list) else []


def _is_host(text: str) -> bool:
    if re.fullmatch(r"[\d.]+", text):
        try:
            IPv4Address(text)
        except ValueError:
            return False
        return True
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))


def _is_host_port(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return _is_host(host) and port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535


def _is_url(text: str) -> bool:
    match = re.fullmatch(r"https?://([^/?#@]+)([/?#]\S*)?", text)
    return match is not None and (_is_host(match[1]) or _is_host_port(match[1]))
