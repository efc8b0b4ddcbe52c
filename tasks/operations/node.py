"""From a bare machine to a node of the cluster: the phases, as data, in their order.

A phase asks facts of its nodes, and plans changes from the answers of all of them. The caller, for each phase
in turn: gather `asked` on every node of `nodes` at once, `plan`, record the intent, apply the changes of each
host, record what came of it, and stop where a host failed. A phase that has nothing to do plans nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inventory.models.change import Change
from inventory.models.cluster import Node
from tasks.facts import capabilities, cgroup, memory, virtualization
from tasks.facts import files as file_facts
from tasks.facts import images as image_facts
from tasks.facts import packages as package_facts
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations import (
    api_balancer,
    containerd,
    etcd,
    files,
    images,
    kubeadm,
    kubelet,
    packages,
    programs,
    settings,
    units,
)
from tasks.operations.preparation import BIN, Preparation, balances

Questions = tuple[Asked[Any], ...]


@dataclass(frozen=True)
class Phase:
    """`nodes` picks where it runs, `asked` says what each node is asked, `plan` sees all the answers."""

    name: str
    title: str
    nodes: Callable[[Preparation], tuple[Node, ...]]
    asked: Callable[[Preparation, Node], Questions]
    plan: Callable[[Preparation, Mapping[str, Facts]], list[Change]]
    needs_first: bool = False  # whether the first control plane must be there, whichever node it is about


def _all(preparation: Preparation) -> tuple[Node, ...]:
    return preparation.site.target.nodes


def _planes(preparation: Preparation) -> tuple[Node, ...]:
    return preparation.planes


def _first(preparation: Preparation) -> tuple[Node, ...]:
    return preparation.planes[:1]


def _others(preparation: Preparation) -> tuple[Node, ...]:
    return tuple(node for node in _all(preparation) if node != preparation.planes[0])


def _each(
    nodes: Callable[[Preparation], tuple[Node, ...]],
    plan: Callable[[Preparation, Node, Facts], Sequence[Change]],
) -> Callable[[Preparation, Mapping[str, Facts]], list[Change]]:
    """A plan that looks at one node at a time; at none that did not answer."""

    def planned(preparation: Preparation, facts: Mapping[str, Facts]) -> list[Change]:
        answered = [node for node in nodes(preparation) if node.name in facts]
        return [change for node in answered for change in plan(preparation, node, facts[node.name])]

    return planned


# -- programs -----------------------------------------------------------------------------------------------


def _packages_asked(preparation: Preparation, _: Node) -> Questions:
    return (package_facts.ask(_package_names(preparation)),)


def _package_names(preparation: Preparation) -> tuple[str, ...]:
    return (*packages.NODE, api_balancer.PACKAGE) if balances(preparation.site.target) else packages.NODE


def _packages(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    (asked,) = _packages_asked(preparation, node)
    return packages.plan(node.name, facts.of(asked), _package_names(preparation))


def _programs_asked(preparation: Preparation, node: Node) -> Questions:
    return (file_facts.ask(programs.layout(node, tuple(preparation.programs)).paths),)


def _programs(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    (asked,) = _programs_asked(preparation, node)
    return programs.plan(preparation, node, facts.of(asked))


# -- containerd and its images ------------------------------------------------------------------------------

# The capabilities and the cgroup version decide on the content of files, not on their paths.
_ANY_HOST = (frozenset[int](), 2)


def _containerd_asked(preparation: Preparation, _: Node) -> Questions:
    service = containerd.service(preparation, *_ANY_HOST)
    registry = files.paths(containerd.registry_files(preparation))
    return (capabilities.ask(), cgroup.ask(), file_facts.ask(registry), *units.asked(service))


def _containerd(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    able, version, registry, *_ = _containerd_asked(preparation, node)
    service = containerd.service(preparation, facts.of(able), facts.of(version))
    trusted = containerd.registry_files(preparation)
    return [
        *files.plan(node.name, facts.of(registry), trusted, "images come from the site's registry"),
        *units.plan(node.name, facts, service, "runs the containers"),
    ]


def _images_asked(preparation: Preparation, node: Node) -> Questions:
    stamps = [images.stamp(preparation, name).path for name, _ in images.archives(preparation, node)]
    return (image_facts.ask(f"{BIN}/ctr"), file_facts.ask(stamps))


def _images(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    present, stamps = _images_asked(preparation, node)
    return images.plan(preparation, node, sorted(facts.of(present)), facts.of(stamps))


# -- etcd ---------------------------------------------------------------------------------------------------


def _etcd_asked(preparation: Preparation, node: Node) -> Questions:
    return units.asked(etcd.service(preparation, node))


def _etcd(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    return units.plan(node.name, facts, etcd.service(preparation, node), "keeps the cluster's state")


def _etcd_client_asked(preparation: Preparation, _: Node) -> Questions:
    return (file_facts.ask(files.paths(etcd.client_files(preparation))),)


def _etcd_client(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    (asked,) = _etcd_client_asked(preparation, node)
    return files.plan(
        node.name, facts.of(asked), etcd.client_files(preparation), "the pod network keeps its subnets there"
    )


# -- the way to the API servers -----------------------------------------------------------------------------


def _balanced(preparation: Preparation) -> tuple[Node, ...]:
    return _all(preparation) if balances(preparation.site.target) else ()


def _balancer_asked(preparation: Preparation, _: Node) -> Questions:
    return units.asked(api_balancer.service(preparation))


def _balancer(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    service = api_balancer.service(preparation)
    return units.plan(node.name, facts, service, "the API outlives each of its servers")


# -- kubelet and kubeadm ------------------------------------------------------------------------------------


def _kubelet_asked(preparation: Preparation, _: Node) -> Questions:
    nothing = memory.Memory(0, 0, 0, (), 1)
    service = kubelet.service(preparation, nothing, 2, configured=False)
    return (memory.ask(), cgroup.ask(), file_facts.ask((kubelet.CONFIG,)), *units.asked(service))


def _kubelet(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    size, version, configured, *_ = _kubelet_asked(preparation, node)
    service = kubelet.service(
        preparation,
        facts.of(size),
        facts.of(version),
        node.roles,
        configured=facts.of(configured)[kubelet.CONFIG].exists,
    )
    return units.plan(node.name, facts, service, "runs the node's pods")


def preflight_questions(_: Preparation, __: Node) -> Questions:
    """What decides on the preflight errors of kubeadm that do not count on a node."""
    return (file_facts.ask(kubeadm.joining_paths()), memory.ask(), cgroup.ask(), virtualization.ask())


def silenced(preparation: Preparation, node: Node, facts: Facts) -> tuple[str, ...]:
    """Those errors by name; `facts` answers `preflight_questions`."""
    paths, size, version, signs = preflight_questions(preparation, node)
    return kubeadm.ignored_errors(
        container=bool(facts.of(signs).container_signs),
        cgroup=facts.of(version),
        swap=bool(facts.of(size).swaps),
        begun=facts.of(paths)[kubeadm.KUBELET].exists,
    )


def _authority_asked(preparation: Preparation, _: Node) -> Questions:
    return (file_facts.ask(files.paths(kubeadm.authority_files(preparation))),)


def _authority(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    (asked,) = _authority_asked(preparation, node)
    wanted = kubeadm.authority_files(preparation)
    return files.plan(node.name, facts.of(asked), wanted, "every control plane has the same authorities")


def _init(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    paths, *_ = preflight_questions(preparation, node)
    return kubeadm.plan_init(preparation, node, facts.of(paths), silenced(preparation, node, facts))


def _token_asked(preparation: Preparation, node: Node) -> Questions:
    return preflight_questions(preparation, node)[:1]


def _token(preparation: Preparation, facts: Mapping[str, Facts]) -> list[Change]:
    paths, *_ = preflight_questions(preparation, preparation.planes[0])
    waiting = [
        node.name
        for node in _others(preparation)
        if node.name in facts and not kubeadm.is_joined(facts[node.name].of(paths))
    ]
    return kubeadm.plan_token(preparation, preparation.planes[0].name, waiting)


def _join(preparation: Preparation, node: Node, facts: Facts) -> list[Change]:
    paths, *_ = preflight_questions(preparation, node)
    return kubeadm.plan_join(preparation, node, facts.of(paths), silenced(preparation, node, facts))


# What `prepare --undo` takes back.
SETTINGS: tuple[Phase, ...] = (
    Phase("modules", "kernel modules", _all, settings.modules_asked, _each(_all, settings.modules_plan)),
    Phase("sysctl", "kernel profile", _all, settings.sysctl_asked, _each(_all, settings.sysctl_plan)),
    Phase("limits", "limits", _all, settings.limits_asked, _each(_all, settings.limits_plan)),
    Phase("links", "underlay interface", _all, settings.links_asked, _each(_all, settings.links_plan)),
    Phase(
        "interrupts",
        "interrupts of its card",
        _all,
        settings.interrupts_asked,
        _each(_all, settings.interrupts_plan),
    ),
)
PHASES: tuple[Phase, ...] = (
    *SETTINGS[:3],
    Phase("packages", "Debian packages", _all, _packages_asked, _each(_all, _packages)),
    *SETTINGS[3:],  # ethtool is one of the packages; with its channels come interrupts
    Phase("programs", "programs of the cluster", _all, _programs_asked, _each(_all, _programs)),
    Phase("containerd", "containerd", _all, _containerd_asked, _each(_all, _containerd)),
    Phase("images", "images of the control plane", _all, _images_asked, _each(_all, _images)),
    Phase("etcd", "etcd with TLS", _planes, _etcd_asked, _each(_planes, _etcd)),
    Phase("etcd-client", "etcd's client certificate", _all, _etcd_client_asked, _each(_all, _etcd_client)),
    Phase("kubelet", "kubelet", _all, _kubelet_asked, _each(_all, _kubelet)),
    Phase("authorities", "the cluster's authorities", _planes, _authority_asked, _each(_planes, _authority)),
    Phase("balancer", "the way to the API servers", _balanced, _balancer_asked, _each(_balanced, _balancer)),
    Phase("init", "control plane (kubeadm init)", _first, preflight_questions, _each(_first, _init)),
    Phase("token", "bootstrap token", _all, _token_asked, _token, needs_first=True),
    Phase(
        "join", "nodes (kubeadm join)", _others, preflight_questions, _each(_others, _join), needs_first=True
    ),
)
