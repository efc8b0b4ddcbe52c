"""An object's metadata in the terms of the S3 API: from an answer, and into the arguments of a write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from botocore.hooks import BaseEventHooks

from inventory.models.stored_object import HEADERS, ObjectMetadata

_WRITING: Final = ("PutObject", "CreateMultipartUpload")


def of(answer: Mapping[str, Any], tags: Mapping[str, str]) -> ObjectMetadata:
    """The metadata of a GetObject's or HeadObject's answer; the tags are asked for apart."""
    found = {header: str(answer.get(_told(header)) or "") for header in HEADERS}
    return ObjectMetadata(
        {header: value for header, value in found.items() if value}, dict(answer["Metadata"]), tags
    )


def arguments(metadata: ObjectMetadata) -> dict[str, Any]:
    """What PutObject and CreateMultipartUpload take for it."""
    wanted: dict[str, Any] = {_name(header): value for header, value in metadata.headers.items()}
    if metadata.user:
        wanted["Metadata"] = dict(metadata.user)
    if metadata.tags:
        wanted["Tagging"] = urlencode(metadata.tags)
    return wanted


def send_expires_as_it_is(events: BaseEventHooks) -> None:
    """Let a client send Expires as it was told: botocore takes dates only, and stores keep any text ("0")."""
    for operation in _WRITING:
        events.register(f"before-parameter-build.s3.{operation}", _set_aside)
        events.register(f"before-call.s3.{operation}", _put_back)


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["expires"] = params.pop("Expires", None)


def _put_back(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if context.get("expires"):
        params["headers"]["Expires"] = context["expires"]


def _name(header: str) -> str:
    return "".join(part.capitalize() for part in header.removeprefix("x-amz-").split("-"))


def _told(header: str) -> str:
    return "ExpiresString" if header == "Expires" else _name(header)
