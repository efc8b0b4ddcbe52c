"""Image registries by skopeo on the lead's machine; TLS is verified. Implements `ports.ImageCopier`.

Credentials are those of `skopeo login` (its own auth file); none passes through here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tasks.drivers.errors import Denied, HostUnreachable, OutsideError, ServiceFailed

_ABSENT = ("manifest unknown", "name unknown", "NAME_UNKNOWN", "MANIFEST_UNKNOWN", "StatusCode: 404")
_DENIED = ("unauthorized", "denied", "authentication required")
_UNREACHABLE = (
    "connection refused",
    "no route to host",
    "i/o timeout",
    "no such host",
    "network is unreachable",
)


class Skopeo:
    """Registries and the CA files that their certificates are verified against; others use the machine's CAs.

    A context manager: it keeps the CA files in folders of the shape that skopeo reads while it is open.
    """

    def __init__(self, ca_files: Mapping[str, Path], timeout_s: float = 1800.0) -> None:
        self._timeout_s = timeout_s
        self._folder = tempfile.TemporaryDirectory(prefix="safe-harbor-registry-")
        self._cert_dirs: dict[str, str] = {}
        for number, (registry, ca_file) in enumerate(ca_files.items()):
            folder = Path(self._folder.name, str(number))
            folder.mkdir()
            try:
                shutil.copyfile(ca_file, folder / "ca.crt")
            except OSError as error:
                self._folder.cleanup()
                raise ServiceFailed(registry, f"the CA file {ca_file} is not usable: {error}") from error
            self._cert_dirs[registry] = str(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folders."""
        self._folder.cleanup()

    def digest(self, image: str) -> str | None:
        """The digest of the image's manifest (or of its list of manifests); None where there is no such."""
        try:
            raw = self._run(image, ["inspect", "--raw", *self._trust("--cert-dir", image)], _url(image))
        except ServiceFailed as error:
            if any(word in error.what for word in _ABSENT):
                return None
            raise
        return "sha256:" + hashlib.sha256(raw).hexdigest()

    def copy(self, source: str, target: str) -> None:
        """Copy with all architectures; the digest stays the same, or skopeo refuses."""
        options = [
            *self._trust("--src-cert-dir", source),
            *self._trust("--dest-cert-dir", target),
        ]
        self._run(
            target,
            ["copy", "--all", "--preserve-digests", "--retry-times", "3", "--quiet", *options],
            _url(source),
            _url(target),
        )

    def _trust(self, option: str, image: str) -> Sequence[str]:
        folder = self._cert_dirs.get(_registry(image))
        return (option, folder) if folder else ()

    def _run(self, image: str, options: Sequence[str], *words: str) -> bytes:
        argv = ["skopeo", *options, *words]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=self._timeout_s, check=False)
        except FileNotFoundError as error:
            raise ServiceFailed("skopeo", "is not installed here", "apt-get install skopeo") from error
        except subprocess.TimeoutExpired as error:
            raise HostUnreachable(
                _registry(image), f"skopeo has not ended after {self._timeout_s:.0f} s"
            ) from error
        if done.returncode != 0:
            raise _translated(_registry(image), done.stderr.decode("utf-8", "replace").strip())
        return done.stdout


def _registry(image: str) -> str:
    return image.partition("/")[0]


def _url(image: str) -> str:
    """skopeo takes a tag or a digest, not both; the digest says more."""
    name, _, digest = image.partition("@")
    if digest:
        host, _, path = name.partition("/")
        return f"docker://{host}/{path.partition(':')[0]}@{digest}"
    return f"docker://{image}"


def _translated(registry: str, text: str) -> OutsideError:
    last = text.splitlines()[-1][-600:] if text else "skopeo failed without a word"
    lowered = text.lower()
    if any(word in lowered for word in _UNREACHABLE):
        return HostUnreachable(registry, last)
    if "x509" in lowered or "tls" in lowered:
        return ServiceFailed(registry, f"its TLS certificate is not trusted: {last}", "see registry.ca_file")
    if any(word.lower() in lowered for word in _ABSENT):
        return ServiceFailed(registry, last)
    if any(word in lowered for word in _DENIED):
        return Denied(registry, last, f"skopeo login {registry}")
    return ServiceFailed(registry, last)
