"""Where a host's logs go: what its log daemons are told to forward to, and which shippers run.

Directives: rsyslog.conf(5) (`@host`, `@@host`, `target="host"`), journal-upload.conf(5) (`URL=`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = """
for file in /etc/rsyslog.conf /etc/rsyslog.d/*.conf /etc/systemd/journal-upload.conf \
    /etc/systemd/journal-upload.conf.d/*.conf /etc/syslog-ng/syslog-ng.conf; do
  if [ -r "$file" ]; then grep -v '^[[:space:]]*#' "$file" | sed "s|^|line $file |"; fi
done
systemctl list-units --type=service --state=running --plain --no-legend --no-pager |
  sed 's/^[[:space:]]*\\([^[:space:]]*\\).*/unit \\1/'
"""
# Programs that send logs or traces away, and the company where it can only be one.
SHIPPERS = {
    "amazon-cloudwatch-agent": "AWS",
    "awslogs": "AWS",
    "awslogsd": "AWS",
    "datadog-agent": "Datadog",
    "newrelic-infra": "New Relic",
    "stackdriver-agent": "Google",
    "google-cloud-ops-agent": "Google",
    "azuremonitoragent": "Microsoft",
    "splunkforwarder": "",
    "fluent-bit": "",
    "fluentd": "",
    "td-agent": "",
    "filebeat": "",
    "vector": "",
    "promtail": "",
    "otelcol": "",
    "systemd-journal-upload": "",
    "syslog-ng": "",
}
_FORWARDS = (
    re.compile(r"(?:^|\s)@@?(?:\([^)]*\))?(\[[0-9a-fA-F:]+\]|[\w.-]+)"),
    re.compile(r"""\btarget\s*=\s*"([^"]+)\"""", re.IGNORECASE),
    re.compile(r"^URL\s*=\s*(?:https?://)?(\[[0-9a-fA-F:]+\]|[\w.-]+)"),
    re.compile(r"""\b(?:network|tcp|udp|syslog)\(\s*"([^"]+)\""""),
)


@dataclass(frozen=True)
class LogSinks:
    """`forwards` are the hosts that daemons are told to send to; `shippers` the units of `SHIPPERS`."""

    forwards: tuple[str, ...]
    shippers: tuple[str, ...]


def command() -> Shellable:
    """Ask for directives and running units."""
    return Script.of(_PROGRAM)


def parse(output: str) -> LogSinks:
    """Raises ValueError where no unit runs: then systemd did not answer."""
    forwards: set[str] = set()
    units: set[str] = set()
    for line in output.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "unit":
            units.add(rest.removesuffix(".service"))
        elif kind == "line":
            directive = rest.partition(" ")[2]
            forwards |= {match[1] for form in _FORWARDS for match in form.finditer(directive)}
    if not units:
        raise ValueError("systemd names no running service")
    return LogSinks(tuple(sorted(forwards)), tuple(sorted(units & SHIPPERS.keys())))


def ask() -> Asked[LogSinks]:
    """The question."""
    return Asked("log-sinks", command(), parse)
