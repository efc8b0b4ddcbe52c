"""Backup programs on a host, and where what starts them sends its copies.

Looked at: programs in the usual folders; crontabs, the host's own systemd units, and the scripts that those
name; the settings of restic, Borg, borgmatic and rclone. A script that nothing starts is no backup. Only the
destinations are kept of a line: the rest may hold passwords. Forms of a destination: restic(1) `-r`, borg(1),
rclone(1) `REMOTE:PATH`, duplicity(1), rsync(1), ssh(1), aws-cli `s3://`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

PROGRAMS = (
    *("restic", "borg", "borgmatic", "rclone", "duplicity", "duply", "kopia", "tarsnap", "rdiff-backup"),
    *("mydumper", "mariabackup", "mariadb-backup", "xtrabackup", "wal-g", "pgbackrest", "bacula-fd"),
    "bareos-fd",
)
# Dumps, copies and clients that are there for other reasons, too: they count where a line names a far place.
_COPIES = ("mysqldump", "mariadb-dump", "pg_dump", "rsync", "scp", "aws", "s3cmd", "gsutil", "azcopy")
_WORDS = "|".join((*PROGRAMS, *_COPIES))
_PROGRAM = r"""
words=$1; shift
crons='/etc/crontab /etc/cron.d/* /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/*
  /var/spool/cron/* /var/spool/cron/crontabs/*'
units='/etc/systemd/system/*.service /etc/systemd/system/*.service.d/*.conf
  /usr/local/lib/systemd/system/*.service'
for name do
  for folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin /opt/*/bin; do
    [ -x "$folder/$name" ] && { printf 'program\t%s\n' "$name"; break; }
  done
done
scripts=
for file in $(cat $crons $units 2>/dev/null | grep -v '^[[:space:]]*#' |
  grep -aoE '/[[:alnum:]_./+-]+' | sort -u); do
  case $file in /usr/bin/*|/usr/sbin/*|/usr/lib/*|/bin/*|/sbin/*|/lib/*) continue ;; esac
  case " $* " in *" ${file##*/} "*) continue ;; esac
  case $file in *.sh|*.py|*.pl) ;; *) [ -x "$file" ] || continue ;; esac
  [ -f "$file" ] && scripts="$scripts $file"
done
lines() {
  kind=$1 keep=$2; shift 2
  for file do
    [ -f "$file" ] && [ -r "$file" ] || continue
    grep -IE "$keep" "$file" | grep -v '^[[:space:]]*[#;]' | tr '\t' ' ' | while IFS= read -r line; do
      printf '%s\t%s\t%s\n' "$kind" "$file" "$line"
    done
  done
}
lines line "(^|[^[:alnum:]_.-])($words)([^[:alnum:]_.-]|\$)" $crons $units $scripts
lines setting '(RESTIC_REPOSITORY|BORG_REPO)=' /etc/environment /etc/default/* /etc/restic/* \
  /etc/restic*.env /etc/borg/* /root/.restic* $crons $units $scripts
lines setting '^[[:space:]]*-.*:' /etc/borgmatic/*.yaml /etc/borgmatic.d/*.yaml
lines rclone '^\[|^[[:space:]]*(type|provider|endpoint|host|url|remote)[[:space:]]*=' \
  /root/.config/rclone/rclone.conf /home/*/.config/rclone/rclone.conf /etc/rclone/*.conf
exit 0
"""
# The host that a service is reached at, where its destinations name only a bucket.
_SERVICES = {
    "s3": "s3.amazonaws.com",
    "b2": "api.backblazeb2.com",
    "gs": "storage.googleapis.com",
    "gcs": "storage.googleapis.com",
    "azure": "blob.core.windows.net",
}
_RCLONE_TYPES = {
    "azureblob": "blob.core.windows.net",
    "b2": "api.backblazeb2.com",
    "box": "api.box.com",
    "drive": "www.googleapis.com",
    "dropbox": "api.dropboxapi.com",
    "google cloud storage": "storage.googleapis.com",
    "onedrive": "graph.microsoft.com",
    "s3": "s3.amazonaws.com",
}
_HOST = r"(?:[^\s/@'\"]+@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)"
_ENDPOINT = re.compile(rf"--(?:endpoint-url|s3-endpoint|host)[= ]['\"]?(?:https?://)?{_HOST}")
_FORMS = (
    re.compile(rf"\b(?:s3:|rest:|boto3\+|webdavs?:)?https?://{_HOST}"),
    re.compile(rf"\b(?:sftp|ssh|scp|rsync|ftps?)://{_HOST}"),
    re.compile(rf"\bsftp:{_HOST}:"),
    re.compile(rf"\bs3:(?!/|https?:){_HOST}/"),
    re.compile(r"(?:^|[\s='\"])[^\s/@:='\"]+@(\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*):"),
    re.compile(r"\|\s*ssh\s+(?:-\S+\s+(?:\d+\s+)?)*(?:[^\s@]+@)?([A-Za-z0-9][A-Za-z0-9.-]*)"),
)
_BUCKET = re.compile(r"(?:^|[\s='\"])(s3|b2|gs|gcs|azure):(?://)?[A-Za-z0-9]")
_REMOTE = re.compile(r"(?:^|[\s='\"]|rclone:)([A-Za-z0-9_][A-Za-z0-9_.-]*):(?!//)")
_STARTS_PROGRAM = re.compile(rf"(?<![\w.-])(?:{'|'.join(PROGRAMS)})(?![\w.-])")


@dataclass(frozen=True, order=True)
class Target:
    """A host that copies go to, and the file that says so."""

    host: str
    file: str


@dataclass(frozen=True)
class Backups:
    """`programs` are installed; `targets` are where copies go; `unseen` files start a backup whose place was
    not seen."""

    programs: tuple[str, ...]
    targets: tuple[Target, ...]
    unseen: tuple[str, ...]


def command() -> Shellable:
    """Ask for programs, what starts them and their settings."""
    return Script.of(_PROGRAM, _WORDS, *PROGRAMS)


def parse(output: str) -> Backups:
    """Raises ValueError where a line is of no known kind; its text is not told."""
    programs: set[str] = set()
    lines: list[tuple[str, str]] = []
    settings: list[tuple[str, str]] = []
    remotes: dict[str, dict[str, str]] = {}
    section = ""
    for number, row in enumerate(output.splitlines(), 1):
        kind, _, rest = row.partition("\t")
        if kind == "program":
            programs.add(rest)
            continue
        if kind not in ("line", "setting", "rclone") or "\t" not in rest:
            raise ValueError(f"line {number} is neither a program nor a line of a file")
        file, text = fields(rest, 2)
        if kind == "line":
            lines.append((file, text))
        elif kind == "setting":
            settings.append((file, text))
        elif text.startswith("["):
            section = text.strip("[] ")
            remotes[section] = {"file": file}
        else:
            name, _, value = text.partition("=")
            remotes.setdefault(section, {"file": file})[name.strip()] = value.strip()
    return _read(programs, lines, settings, remotes)


def ask() -> Asked[Backups]:
    """The question."""
    return Asked("backups", command(), parse)


def _read(
    programs: Iterable[str],
    lines: Sequence[tuple[str, str]],
    settings: Sequence[tuple[str, str]],
    remotes: Mapping[str, Mapping[str, str]],
) -> Backups:
    hosts = {name: _of_remote(name, remotes) for name in remotes}
    targets = {Target(host, remotes[name]["file"]) for name, host in hosts.items() if host}
    unseen: set[str] = {f"{remotes[name]['file']} [{name}]" for name, host in hosts.items() if host is None}
    known = bool(targets)
    for file, text in settings:
        found = {Target(host, file) for host in _hosts(text)}
        known = known or bool(found) or "=/" in text
        targets |= found
    for file, text in lines:
        found = {Target(host, file) for host in _hosts(text)}
        named = {each.strip() for each in _REMOTE.findall(text)}
        reached = found or named & hosts.keys()
        targets |= found
        # What copies or dumps from disk to disk is DAT-01's: the disks are looked at there.
        if not reached and not known and _STARTS_PROGRAM.search(text) and not _is_local(text):
            unseen.add(file)
    return Backups(tuple(sorted(programs)), tuple(sorted(targets)), tuple(sorted(unseen)))


def _hosts(text: str) -> Iterator[str]:
    endpoint = _ENDPOINT.search(text)
    found = {match[1].strip("[]") for form in _FORMS for match in form.finditer(text)}
    if endpoint:
        found.add(endpoint[1].strip("[]"))
    elif not found:
        found |= {_SERVICES[match[1]] for match in _BUCKET.finditer(text)}
    yield from sorted(found)


def _is_local(text: str) -> bool:
    """Whether the repository is named as a folder: `-r /srv/backup`, `create /srv/backup::name`."""
    return bool(re.search(r"(?:-r|--repo(?:sitory)?)[= ]+/|\bcreate\b.*\s/\S*::|\bfile:///", text))


def _of_remote(name: str, remotes: Mapping[str, Mapping[str, str]], depth: int = 0) -> str | None:
    """The host of an rclone remote; empty for a folder of the host itself, None where it cannot be told."""
    remote = remotes.get(name, {})
    kind = remote.get("type", "")
    if kind in ("local", "alias", "crypt", "union", "chunker", "compress") and depth < len(remotes):
        under, colon, _ = remote.get("remote", "").partition(":")
        return _of_remote(under, remotes, depth + 1) if colon else ""
    place = remote.get("endpoint") or remote.get("host") or remote.get("url")
    if place:
        bare = place.partition("://")[2] or place
        return bare.partition("/")[0].rpartition("@")[2].partition(":")[0]
    return _RCLONE_TYPES.get(kind)
