"""The bucket driver and the move of a bucket, with a real object store over TLS."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.drivers.errors import HostUnreachable, LoginRefused, ServiceFailed
from tasks.drivers.objects import S3Bucket
from tasks.move.bucket import move_bucket
from tests.drivers.real_edge import free_port
from tests.drivers.real_mariadb import Ca
from tests.drivers.real_registry import Store, running_store, store_program

pytestmark = pytest.mark.skipif(store_program() is None, reason="versitygw is not built")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("objects")
    with running_store(folder, Ca(folder)) as running:
        yield running


def bucket(store: Store, name: str, profile: str = "default") -> S3Bucket:
    return S3Bucket(
        name, store.credentials_file, profile=profile, endpoint_url=store.endpoint_url, ca_file=store.ca.file
    )


def test_objects_are_written_read_and_listed(store: Store) -> None:
    media = bucket(store, "media")
    assert media.create()
    assert not media.create()
    assert media.name == "s3://media"
    media.write("a/one.jpg", b"1" * 1000, content_type="image/jpeg")
    media.write("a/blå bær.txt", b"")
    assert [(key, size) for key, size, _ in media.list()] == [("a/blå bær.txt", 0), ("a/one.jpg", 1000)]
    assert media.read("a/one.jpg") == b"1" * 1000
    about = media.head("a/one.jpg")
    assert about is not None
    assert about["ContentType"] == "image/jpeg"
    assert media.head("none") is None


def test_pods_read_without_credentials_once_they_may(store: Store) -> None:
    shown = bucket(store, "shown")
    shown.create()
    shown.write("x.txt", b"x")
    trust = ssl.create_default_context(cafile=str(store.ca.file))
    url = f"{store.endpoint_url}/shown/x.txt"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url, context=trust)  # noqa: S310 - https
    assert shown.let_anyone_read()
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
        source.write(f"img/{number:02}.jpg", bytes([number]) * (number * 500), content_type="image/jpeg")
    target.write("img/03.jpg", b"old")
    target.write("extra.txt", b"only here")
    trial = move_bucket(source, target, dry_run=True)
    assert (trial.copied, trial.objects, trial.extra) == (30, 30, ("extra.txt",))
    first = move_bucket(source, target)
    assert (first.objects, first.copied, first.compared) == (30, 30, 30)
    assert first.bytes == first.copied_bytes == sum(number * 500 for number in range(30))
    assert first.extra == ("extra.txt",)
    about = target.head("img/07.jpg")
    assert about is not None
    assert about["ContentType"] == "image/jpeg"
    second = move_bucket(source, target)
    assert (second.copied, second.compared, second.digest) == (0, 30, first.digest)
    assert move_bucket(source, target, deep=False).compared == 0
    source.write("img/05.jpg", b"changed")
    third = move_bucket(source, target, deep=False)
    assert (third.copied, third.copied_bytes) == (1, 7)
    assert target.read("img/05.jpg") == b"changed"
