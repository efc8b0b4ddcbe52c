"""KMS keys that the account holds, by their aliases.

Those that AWS manages for its services are left out: their aliases begin with alias/aws/, which is reserved
for them, nobody can delete them, and they end with the account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen

_RESERVED = "alias/aws/"


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    keys = ask.items("kms", "list_keys", "Keys")
    aliases: dict[str, list[str]] = defaultdict(list)
    for each in ask.items("kms", "list_aliases", "Aliases") if keys else ():
        aliases[str(each.get("TargetKeyId", ""))].append(str(each["AliasName"]))
    for found in keys:
        answer = ask.one("kms", "describe_key", {"KeyId": found["KeyId"]}) or {}
        key, names = answer.get("KeyMetadata") or {}, sorted(aliases[found["KeyId"]])
        if key.get("KeyManager") == "AWS" or any(name.startswith(_RESERVED) for name in names):
            continue
        yield Resource(
            service="kms",
            region=ask.region,
            kind="key",
            id=found["KeyId"],
            arn=found["KeyArn"],
            name=names[0].removeprefix("alias/") if names else "",
            attributes=chosen(key, state="KeyState", origin="Origin", multi_region="MultiRegion"),
        )


SURVEYOR = Surveyor(
    service="kms",
    scope="region",
    actions=("kms:ListKeys", "kms:ListAliases", "kms:DescribeKey"),
    collect=_collect,
)
