"""Secrets of Secrets Manager, by name; no value is ever asked for."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen, tags_of


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    for found in ask.items("secretsmanager", "list_secrets", "SecretList"):
        yield Resource(
            service="secretsmanager",
            region=ask.region,
            kind="secret",
            id=found["Name"],
            arn=found["ARN"],
            name=found["Name"],
            tags=tags_of(found),
            attributes=chosen(found, kms_key="KmsKeyId", changed_at="LastChangedDate"),
        )


SURVEYOR = Surveyor(
    service="secretsmanager", scope="region", actions=("secretsmanager:ListSecrets",), collect=_collect
)
