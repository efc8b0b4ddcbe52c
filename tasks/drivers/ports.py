"""What the rooms see of the outside: Protocols, and the plain values that pass through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from inventory.models.command import Shellable
from inventory.models.stored_object import ObjectMetadata, StoredObject


@dataclass(frozen=True)
class Output:
    """What a command left. Text is decoded as UTF-8 with replacement and bounded in length."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the exit code is 0."""
        return self.exit_code == 0


class Clock(Protocol):
    """The time, injected so that judged things are repeatable."""

    def now(self) -> datetime:
        """The time, in UTC, aware."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Host(Protocol):
    """A host that runs commands and takes files."""

    @property
    def name(self) -> str:
        """The host's declared name."""

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """Run it and return what it left, whatever its exit code.

        Raises HostUnreachable, HostKeyRefused, LoginRefused; CommandFailed only for a time-out.
        """

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        """Run it and return its stdout; raises CommandFailed on a non-zero exit."""

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Write a file atomically."""

    def put_program(self, path: str, source: Path, sha256: str, *, mode: int = 0o755) -> None:
        """Upload a large file, verified on arrival."""

    def lock(self, holder: str) -> None:
        """Keep other runs from changing the host until `close`; `holder` is what they are told.

        Raises HostLocked, naming who is changing it, and what `run` raises. A second call is nothing.
        """

    def close(self) -> None:
        """End the connection."""


class Echoing(Host, Protocol):
    """A host whose distance can be measured."""

    def echo_s(self, nonces: Sequence[bytes]) -> list[float]:
        """Send each nonce, in turn, to one process on the host that sends it back; seconds of each trip.

        Raises CommandFailed where something else comes back, and what `run` raises.
        """


Json = Mapping[str, Any]


class Kube(Protocol):
    """A cluster's API, as plain JSON objects."""

    @property
    def name(self) -> str:
        """The cluster's name."""

    def kinds(self) -> Sequence[tuple[str, str]]:
        """Every listable (apiVersion, kind) that the server has."""

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        """The objects. Raises Denied, ServiceFailed, HostUnreachable."""

    def get(
        self, api_version: str, kind: str, name: str, *, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """One object, or None."""

    def apply(self, manifest: Json, *, dry_run: bool = False) -> bool:
        """Server-side apply; whether the stored object changed."""

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str | None = None) -> bool:
        """Delete it; whether it was there."""

    def node_get(self, node: str, port: int, path: str) -> str:
        """What a node answers to a GET, asked by the API server: port 10250 is kubelet's, with our rights.

        Raises Denied (nodes/proxy), ServiceFailed where nothing answers there.
        """

    def evict(self, namespace: str, pod: str) -> bool:
        """Ask the pod to leave its node; whether it may, by its disruption budget, or is gone already."""

    def execute(
        self, namespace: str, pod: str, argv: Sequence[str], *, container: str = "", timeout_s: float = 30.0
    ) -> Output:
        """Run a program in a pod."""


class Objects(Protocol):
    """A bucket behind the S3 API."""

    @property
    def name(self) -> str:
        """`s3://NAME`."""

    def list(self) -> Iterator[tuple[str, int, str]]:
        """(key, bytes, etag) of every object, in key order."""

    def read(self, key: str) -> StoredObject:
        """The object with its metadata. Raises ServiceFailed where a part of the metadata is not told."""

    def write(self, key: str, stored: StoredObject) -> None:
        """Create or replace the object, its metadata with it."""

    def head(self, key: str) -> ObjectMetadata | None:
        """Its metadata alone, or None where there is no such object. Raises as `read` does."""


class Sql(Protocol):
    """A MariaDB connection with administrative rights."""

    @property
    def name(self) -> str:
        """`host:port`."""

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query."""

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; the number of affected rows."""

    def close(self) -> None:
        """End the connection."""


class EdgeProxy(Protocol):
    """haproxy's runtime API."""

    @property
    def name(self) -> str:
        """The edge's address."""

    def weights(self) -> dict[str, int]:
        """Weight of each server of the shop's backend, in percent."""

    def shift(self, weights: Mapping[str, int]) -> None:
        """Set the weights in percent."""

    def hold_writes(self, hold: bool) -> None:
        """Hold (queue) or release requests that write; none is refused."""

    def writes_in_flight(self) -> int:
        """Writes that have been let through and are not answered yet."""

    def counters(self) -> dict[str, dict[str, int]]:
        """Per side: `requests`, `errors` (5xx), `fallbacks` (served by the home side) since the edge's start;
        `sessions`, `servers` and `servers_up` now."""


class DnsZone(Protocol):
    """The authoritative zone of the shop's name."""

    def address(self, name: str) -> tuple[tuple[str, ...], int]:
        """The A records and their TTL in seconds, from the authoritative server."""

    def name_servers(self) -> tuple[str, ...]:
        """The names of the zone's servers, as the authoritative server gives them, without the last dot."""

    def set_address(self, name: str, addresses: Sequence[str], ttl_s: int) -> None:
        """Replace the A records, atomically."""


class Aws(Protocol):
    """An AWS account, read only. `region` may be `global` for Route 53 and the list of buckets.

    Raises Denied, Throttled, LoginRefused, HostUnreachable, ServiceFailed.
    """

    @property
    def name(self) -> str:
        """The account's number."""

    def regions(self) -> Sequence[str]:
        """The regions that are enabled for the account."""

    def items(
        self, service: str, region: str, operation: str, key: str, parameters: Json | None = None
    ) -> list[Any]:
        """Everything under `key` (`A`, or `A.B` for what lies deeper) of every page of an operation that has
        pages: objects, or names where the operation lists names."""

    def call(
        self,
        service: str,
        region: str,
        operation: str,
        parameters: Json | None = None,
        *,
        absent: Sequence[str] = (),
    ) -> dict[str, Any] | None:
        """One call; None where the service answers with one of the error codes `absent`."""


class ImageCopier(Protocol):
    """Image registries."""

    def digest(self, image: str) -> str | None:
        """The digest of the image's manifest, or None where there is no such image."""

    def copy(self, source: str, target: str) -> None:
        """Copy an image, all architectures; its digest stays the same."""
