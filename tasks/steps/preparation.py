"""Opens what the preparation of nodes works with, on the lead's machine; no host is touched here."""

from __future__ import annotations

import hashlib
import json
import secrets
import string
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from inventory.errors import BadInput
from inventory.models.command import Command
from inventory.models.secret import Secret
from inventory.models.site import Site
from inventory.profile_files import load_profile
from tasks.drivers import pki_folder
from tasks.drivers.ports import Clock, Host
from tasks.operations.images_archive import Image, control_plane_images, pause_image, write_archive
from tasks.operations.kubeadm import ADMIN
from tasks.operations.kubeconfig import reaching
from tasks.operations.pki import Pair, complete
from tasks.operations.preparation import LocalFile, Preparation, lead_endpoints

_TOKEN_LETTERS = string.ascii_lowercase + string.digits


def open_preparation(site: Site, clock: Clock) -> Preparation:
    """Read the programs, make the archives of images and the keys that are missing (`<state>/pki`, 0600).

    About a second where all is there. Raises BadInput: an unknown profile, a program that is missing or is
    not static, a key that others can read.
    """
    profile = load_profile(site.profile, site.profiles)
    folder = site.target.cluster.programs
    programs = _programs(folder)
    archives = {
        "pause": _archive(site.state / "images", "pause", (pause_image(folder),), programs),
        "control-plane": _archive(
            site.state / "images",
            "control-plane",
            control_plane_images(site.target.cluster.version, folder),
            programs,
        ),
    }
    keys = site.state / "pki"
    planes = {node.name: node.address for node in site.target.nodes if "control-plane" in node.roles}
    kept = {name: Pair(*pair) for name, pair in pki_folder.read(keys).items()}
    try:
        pki = complete(kept, planes, clock.now())
    except ValueError as error:
        raise BadInput(f"a certificate or key is broken: {error}", keys) from None
    pki_folder.write(keys, {name: (pair.certificate, pair.key) for name, pair in pki.pairs.items()})
    try:
        registry_ca = site.target.registry.ca_file.read_bytes()
    except OSError as error:
        raise BadInput(
            f"the registry's CA cannot be read: {error.strerror}", site.target.registry.ca_file
        ) from None
    return Preparation(site, profile, programs, archives, pki, registry_ca, _new_token())


def keep_kubeconfig(preparation: Preparation, first_plane: Host) -> bool:
    """Fetch the admin's kubeconfig to `cluster.kubeconfig` (0600); whether that changed it.

    Raises what the host raises.
    """
    path = preparation.site.target.cluster.kubeconfig
    admin = first_plane.check(Command.of("cat", ADMIN))
    content = reaching(admin, lead_endpoints(preparation.site.target), preparation.site.target.cluster.name)
    if path.exists() and path.read_bytes() == content and path.stat().st_mode & 0o777 == 0o600:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pki_folder.write_private(path, content)
    return True


def _programs(folder: Path) -> dict[str, LocalFile]:
    if not folder.is_dir():
        raise BadInput("the folder of the cluster's programs is not there", folder)
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    with ThreadPoolExecutor(4) as pool:
        return dict(zip((file.name for file in files), pool.map(_local, files), strict=True))


def _local(path: Path) -> LocalFile:
    with path.open("rb") as file:
        return LocalFile(str(path), hashlib.file_digest(file, "sha256").hexdigest())


def _archive(folder: Path, name: str, images: tuple[Image, ...], programs: dict[str, LocalFile]) -> LocalFile:
    """The archive, made once for these images of these programs."""
    described = [
        (
            image.reference,
            [
                (entry.path, entry.link, entry.source and programs[entry.source.name].sha256)
                for entry in image.entries
            ],
        )
        for image in images
    ]
    key = hashlib.sha256(json.dumps([described, "v1"]).encode()).hexdigest()[:16]
    path = folder / f"{name}-{key}.tar"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.glob(f"*{name}-*"):
            old.unlink()
        part = path.with_suffix(".part")
        with part.open("wb") as out:
            write_archive(out, images)
        part.replace(path)
    return _local(path)


def _new_token() -> Secret:
    """A bootstrap token as kubeadm wants it: six letters, a dot, sixteen letters."""
    left, right = ("".join(secrets.choice(_TOKEN_LETTERS) for _ in range(count)) for count in (6, 16))
    return Secret(f"{left}.{right}")
