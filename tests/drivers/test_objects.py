"""The bucket driver and the move of a bucket, with a real object store over TLS."""

from __future__ import annotations

import contextlib
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from inventory.models.stored_object import ObjectMetadata, StoredObject
from tasks.drivers.errors import Denied, HostUnreachable, LoginRefused, ServiceFailed
from tasks.drivers.objects import S3Bucket
from tasks.move.bucket import move_bucket, plan_bucket
from tests.drivers.real_edge import free_port
from tests.drivers.real_mariadb import Ca
from tests.drivers.real_registry import Store, running_store, store_program
from tests.move.memory_bucket import MemoryBucket

pytestmark = pytest.mark.skipif(store_program() is None, reason="versitygw is not built")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("objects")
    with running_store(folder, Ca(folder)) as running:
        yield running


def bucket(store: Store, name: str, profile: str = "default", **more: Any) -> S3Bucket:
    return S3Bucket(
        name,
        store.credentials_file,
        profile=profile,
        endpoint_url=store.endpoint_url,
        ca_file=store.ca.file,
        **more,
    )


def picture(content: bytes) -> StoredObject:
    return StoredObject(content, ObjectMetadata({"Content-Type": "image/jpeg"}))


def test_objects_are_written_read_and_listed(store: Store) -> None:
    media = bucket(store, "media")
    assert media.create()
    assert not media.create()
    assert media.name == "s3://media"
    media.write("a/one.jpg", picture(b"1" * 1000))
    media.write("a/blå bær.txt", StoredObject(b""))
    assert [(key, size) for key, size, _ in media.list()] == [("a/blå bær.txt", 0), ("a/one.jpg", 1000)]
    assert media.read("a/one.jpg") == picture(b"1" * 1000)
    assert media.head("a/one.jpg") == picture(b"").metadata
    assert media.head("none") is None


def test_pods_read_without_credentials_once_they_may(store: Store) -> None:
    shown = bucket(store, "shown")
    shown.create()
    shown.write("x.txt", StoredObject(b"x"))
    trust = ssl.create_default_context(cafile=str(store.ca.file))
    url = f"{store.endpoint_url}/shown/x.txt"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url, context=trust)  # noqa: S310 - https
    assert not shown.anyone_may_read()
    assert shown.let_anyone_read()
    assert shown.anyone_may_read()
    assert not shown.let_anyone_read()
    assert urllib.request.urlopen(url, context=trust).read() == b"x"  # noqa: S310 - https


def test_refusals_are_told_apart(store: Store, tmp_path: Path) -> None:
    bucket(store, "media").create()
    with pytest.raises(LoginRefused, match="SignatureDoesNotMatch"):
        bucket(store, "media", "wrong").read("a/one.jpg")
    with pytest.raises(LoginRefused, match="no profile absent"):
        bucket(store, "media", "absent")
    with pytest.raises(ServiceFailed, match="NoSuchBucket"):
        list(bucket(store, "nowhere").list())
    with pytest.raises(ServiceFailed, match="NoSuchKey"):
        bucket(store, "media").read("nothing")
    stranger = S3Bucket(
        "media", store.credentials_file, endpoint_url=store.endpoint_url, ca_file=Ca(tmp_path).file
    )
    with pytest.raises(ServiceFailed, match="not trusted"):
        stranger.read("a/one.jpg")
    gone = S3Bucket("media", store.credentials_file, endpoint_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(HostUnreachable):
        gone.read("a/one.jpg")


def test_a_bucket_moves_and_a_second_run_copies_nothing(store: Store) -> None:
    source, target = bucket(store, "from-aws"), bucket(store, "in-oslo")
    for one in (source, target):
        one.create()
    for number in range(30):
        source.write(f"img/{number:02}.jpg", picture(bytes([number]) * (number * 500)))
    target.write("img/03.jpg", StoredObject(b"old"))
    target.write("extra.txt", StoredObject(b"only here"))
    planned = plan_bucket(source, target)
    assert (planned.to_copy, planned.objects, planned.extra) == (30, 30, ("extra.txt",))
    first = move_bucket(source, target)
    assert (first.objects, first.copied, first.compared) == (30, 30, 30)
    assert first.bytes == first.copied_bytes == sum(number * 500 for number in range(30))
    assert first.extra == ("extra.txt",)
    assert target.head("img/07.jpg") == picture(b"").metadata
    assert plan_bucket(source, target).to_copy == 0
    second = move_bucket(source, target)
    assert (second.copied, second.compared, second.digest) == (0, 30, first.digest)
    assert move_bucket(source, target, deep=False).compared == 0
    source.write("img/05.jpg", StoredObject(b"changed"))
    third = move_bucket(source, target, deep=False)
    assert (third.copied, third.copied_bytes) == (1, 7)
    assert target.read("img/05.jpg").content == b"changed"


WHOLE = ObjectMetadata(
    headers={
        "Cache-Control": "public, max-age=86400",
        "Content-Disposition": 'attachment; filename="priser.csv"',
        "Content-Encoding": "gzip",
        "Content-Language": "nb",
        "Content-Type": "text/csv",
        "Expires": "0",  # no date: what many write there
        "x-amz-website-redirect-location": "/nye-priser",
    },
    user={"sha256": "abc", "owner": "Kari Nordmann"},
    tags={"team": "media", "kept until": "2031 + 1"},
)


@pytest.mark.parametrize("size", [3, 11 * 1024**2], ids=["in one piece", "in parts"])
def test_all_metadata_survives_a_move(store: Store, size: int) -> None:
    name = f"metadata-{size}"
    source, target = (bucket(store, f"{name}-{side}", part_bytes=5 * 1024**2) for side in ("from", "to"))
    for one in (source, target):
        one.create()
    source.write("priser.csv", StoredObject(b"x" * size, WHOLE))
    assert [("-" in etag) for _, _, etag in source.list()] == [size > 5 * 1024**2]
    assert source.head("priser.csv") == WHOLE
    moved = move_bucket(source, target)
    assert moved.unkept == ()
    assert target.read("priser.csv") == StoredObject(b"x" * size, WHOLE)
    assert plan_bucket(source, target).to_copy == 0


def test_an_object_of_many_parts_keeps_its_metadata_in_one_piece(store: Store) -> None:
    source, target = bucket(store, "parts-from", part_bytes=5 * 1024**2), bucket(store, "parts-to")
    for one in (source, target):
        one.create()
    source.write("big", StoredObject(b"x" * 6 * 1024**2, WHOLE))
    assert move_bucket(source, target).unkept == ()
    assert [("-" in etag) for _, _, etag in target.list()] == [False]
    assert target.head("big") == WHOLE


def test_the_store_keeps_too_little_of_a_folder_marker_and_the_move_says_so(store: Store) -> None:
    source, target = MemoryBucket("s3://aws", {}), bucket(store, "markers")
    target.create()
    source.write("img/", StoredObject(b"", WHOLE))
    assert [str(each) for each in move_bucket(source, target).unkept] == [
        "img/: Cache-Control, Content-Disposition, Content-Encoding, Content-Language, Content-Type, Expires"
    ]


@contextlib.contextmanager
def answering_heads(headers: dict[str, str]) -> Iterator[str]:
    """A store that answers a HEAD with these headers, and lets nobody see tags; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(200, headers, b"")

        def do_GET(self) -> None:
            assert self.path.endswith("?tagging")
            self._answer(
                403, {}, b"<Error><Code>AccessDenied</Code><Message>no GetObjectTagging</Message></Error>"
            )

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_tags_that_may_not_be_read_are_a_refusal_and_not_none(store: Store) -> None:
    with answering_heads({}) as url, pytest.raises(Denied, match="GetObjectTagging"):
        S3Bucket("media", store.credentials_file, endpoint_url=url).head("a.jpg")


def test_metadata_that_no_header_can_hold_is_an_error(store: Store) -> None:
    with answering_heads({"x-amz-missing-meta": "2"}) as url, pytest.raises(ServiceFailed, match="2 entries"):
        S3Bucket("media", store.credentials_file, endpoint_url=url).head("a.jpg")
