"""A cluster whose node probes are played by its hosts over SSH: what a node can be asked with no pod started.

Only what needs no other probe at the far end: a GET, and a dial of an address that is not a probe's.
Everything else is not asked at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from inventory.models.command import Command
from tasks.drivers.errors import Unasked, Unprobed
from tasks.drivers.ports import Host, Kube, Output
from tasks.facts.probe import PORT

_TIMEOUT_S = 2
_REFUSED = re.compile(r"/dev/tcp/(?P<host>\S+)/(?P<port>\d+): (?P<why>.+)$")  # bash's own words
# Only bash and timeout: a node need not have curl.
_GET = """
exec 3<> "/dev/tcp/$1/$2" || exit 7
printf 'GET %s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' "$3" "$1" >&3
exec timeout "$4" cat <&3
"""
# A process an address, bash's own: nothing is started, and what does not answer in time is ended.
_DIAL = """
wait_s=$1; shift
dial_all() {
  trap 'kill $(jobs -p) 2> /dev/null; exit' TERM
  for end do
    {
      before=${EPOCHREALTIME/./}
      : 2>&1 3<> "/dev/tcp/${end%:*}/${end##*:}" &&
        printf 'open\\t%s\\t%s\\n' "$end" "$((${EPOCHREALTIME/./} - before))"
    } &
  done
  wait
}
exec 8< <(dial_all "$@")
dialling=$!
over=$((${EPOCHREALTIME/./} + wait_s * 1000000))
while left=$((over - ${EPOCHREALTIME/./})); ((left > 0)); do
  printf -v wait '%d.%06d' "$((left / 1000000))" "$((left % 1000000))"
  IFS= read -rt "$wait" -u 8 line || break
  printf '%s\\n' "$line"
done
kill "$dialling" 2> /dev/null
exit 0
"""


def node_probes(hosts: Mapping[str, Host]) -> dict[str, str]:
    """The names under which `HostAsked` takes a question to a node."""
    return {name: f"host/{name}" for name in hosts}


class HostAsked:
    """Implements `ports.Kube` for reading: nothing is ever applied or deleted through it."""

    def __init__(self, kube: Kube, hosts: Mapping[str, Host]) -> None:
        self._kube = kube
        self._hosts = {pod: hosts[name] for name, pod in node_probes(hosts).items()}

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._kube.name

    def kinds(self) -> Sequence[tuple[str, str]]:
        """See `ports.Kube`."""
        return self._kube.kinds()

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        """See `ports.Kube`."""
        return self._kube.list(api_version, kind, namespace=namespace, selector=selector)

    def get(
        self, api_version: str, kind: str, name: str, *, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """See `ports.Kube`."""
        return self._kube.get(api_version, kind, name, namespace=namespace)

    def node_get(self, node: str, port: int, path: str) -> str:
        """See `ports.Kube`."""
        return self._kube.node_get(node, port, path)

    def apply(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> bool:
        """Raises Unasked: nothing is written here."""
        del dry_run
        raise Unasked(self.name, f"{manifest.get('kind')} would be applied, and this only looks")

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str | None = None) -> bool:
        """Raises Unasked: nothing is written here."""
        del api_version, namespace
        raise Unasked(self.name, f"{kind} {name} would be deleted, and this only looks")

    def evict(self, namespace: str, pod: str) -> bool:
        """Raises Unasked: nothing is moved here."""
        raise Unasked(self.name, f"pod {namespace}/{pod} would be evicted, and this only looks")

    def execute(
        self, namespace: str, pod: str, argv: Sequence[str], *, container: str = "", timeout_s: float = 30.0
    ) -> Output:
        """What the probe program would print on this node. Raises Unasked, and what `Host.run` raises."""
        del namespace, container
        host, (_, verb, *words) = self._hosts.get(pod), argv
        if host is not None and verb == "get" and len(words) == 1:
            return _get(host, words[0], timeout_s)
        if host is not None and verb == "tcp" and any(_is_dialled(word) for word in words):
            return _dial(host, words, timeout_s)
        raise Unprobed(pod, f"`{verb}` is asked by probe pods only", "network starts them and removes them")


def _is_dialled(word: str) -> bool:
    host, _, port = word.rpartition(":")
    return bool(host) and port.isdecimal() and int(port) != PORT


def _get(host: Host, url: str, timeout_s: float) -> Output:
    parts = urlsplit(url)
    command = Command.of(
        *("bash", "-c", _GET, "bash", parts.hostname or "", parts.port or 80, parts.path or "/", _TIMEOUT_S)
    )
    output = host.run(command, timeout_s=timeout_s)
    head, _, body = output.stdout.replace("\r\n", "\n").partition("\n\n")
    status = head.split(" ", 2)[1] if head.startswith("HTTP/") else "0"
    error = "" if status != "0" else f"no answer: {output.stderr.strip().rpartition(': ')[2]}"
    return _said({"status": int(status), "body": body, "error": error}, output)


def _dial(host: Host, words: Sequence[str], timeout_s: float) -> Output:
    output = host.run(Command.of("bash", "-c", _DIAL, "bash", _TIMEOUT_S, *words), timeout_s=timeout_s)
    took_us, why = {}, {}
    for line in output.stdout.splitlines():
        if line.startswith("open\t"):
            _, address, us = line.split("\t")
            took_us[address] = int(us)
        elif refused := _REFUSED.search(line):
            why[f"{refused['host']}:{refused['port']}"] = refused["why"]
    results = [
        {
            "address": word,
            "ok": word in took_us,
            "ms": took_us.get(word, _TIMEOUT_S * 1_000_000) / 1000,
            "error": "" if word in took_us else why.get(word, "timed out"),
        }
        for word in words
    ]
    return _said({"results": results}, output)


def _said(document: dict[str, Any], output: Output) -> Output:
    return Output(0, json.dumps(document), output.stderr, output.seconds)
