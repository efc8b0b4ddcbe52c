"""How a control plane encrypts its Secrets at rest: the providers of its encryption configuration.

The running API server says where the file lies (its flag), and the file is read as that process sees it;
where none runs, the manifest that the kubelet follows says it. Keys are cut out on the host already; what is
kept are the names of providers (apiserver.config.k8s.io/v1, EncryptionConfiguration).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

_PROGRAM = r"""
flag=--encryption-provider-config root= words=
for folder in /proc/[0-9]*; do
  [ "$(cat "$folder/comm" 2>/dev/null)" = kube-apiserver ] || continue
  words=$(tr '\0' '\n' < "$folder/cmdline") root=$folder/root
  break
done
manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
if [ -z "$words" ]; then
  [ -r "$manifest" ] || { echo unseen no API server runs here, and there is no manifest of one; exit 0; }
  words=$(sed -n 's/^ *- *["'"'"']\{0,1\}\(--[^"'"'"']*\).*/\1/p' "$manifest")
fi
path=$(printf '%s\n' "$words" | sed -n "s/^$flag=//p" | head -n 1)
if [ -z "$path" ]; then echo none; exit 0; fi
[ -r "$root$path" ] || root=
[ -r "$root$path" ] || { printf 'unseen %s cannot be read\n' "$path"; exit 0; }
printf 'file %s\n' "$path"
sed -E 's/("?secret"?[[:space:]]*:)[^,}]*/\1 cut/g' "$root$path"
"""


@dataclass(frozen=True)
class Kms:
    """A KMS plugin: its name, and the socket that the API server asks."""

    name: str
    endpoint: str


@dataclass(frozen=True)
class Encryption:
    """`providers` are those for Secrets, in order: the first one writes. None: no configuration is named.

    `unseen` says why nothing is known; empty where it is.
    """

    path: str = ""
    providers: tuple[str, ...] = ()
    kms: tuple[Kms, ...] = ()
    unseen: str = ""

    @property
    def encrypts(self) -> bool:
        """Whether a Secret that is written now is encrypted."""
        return bool(self.providers) and self.providers[0] != "identity"


def command() -> Shellable:
    """Ask for the file, its keys cut out."""
    return Script.of(_PROGRAM)


def parse(output: str) -> Encryption:
    """Raises ValueError where the file is no EncryptionConfiguration; its text is not told."""
    first, _, text = output.partition("\n")
    word, _, rest = first.partition(" ")
    if word == "none":
        return Encryption()
    if word == "unseen":
        return Encryption(unseen=rest)
    if word != "file":
        raise ValueError("the first line says neither none, unseen nor file")
    try:
        content = yaml.safe_load(text)
        rules = list(_rules_for_secrets(content))
    except (yaml.YAMLError, AttributeError, TypeError):
        # The library's message quotes the line, which may be a key.
        raise ValueError(f"{rest} is no EncryptionConfiguration") from None
    providers = rules[0] if rules else []
    names = tuple(str(name) for each in providers for name in each)
    kms = tuple(
        Kms(str(each["kms"].get("name", "")), str(each["kms"].get("endpoint", "")))
        for each in providers
        if isinstance(each.get("kms"), dict)
    )
    return Encryption(rest, names, kms)


def ask() -> Asked[Encryption]:
    """The question."""
    return Asked("secret-encryption", command(), parse)


def _rules_for_secrets(content: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
    """The providers of each rule that Secrets fall under; the first one counts."""
    for rule in content.get("resources") or ():
        if {"secrets", "*.", "*.*"} & {str(each) for each in rule.get("resources") or ()}:
            yield [dict(each) for each in rule.get("providers") or ()]
