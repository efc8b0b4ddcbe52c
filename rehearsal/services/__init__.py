"""The services of the rehearsal's AWS side, on real programs, and what stands in them.

Law: one file a service, each with `start_NAME(plan, state)`; nothing here runs on the Oslo side, which the
exit installs itself. Order: `prepare` (files only), `start` (services, seeded, the link's delay last), then,
with the source cluster up, `publish` (the shop).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from rehearsal.plan import Plan
from rehearsal.services import registry
from rehearsal.services.account import seed_account
from rehearsal.services.aws_api import start_aws_api
from rehearsal.services.certificates import make_certificates
from rehearsal.services.database import start_database
from rehearsal.services.edge import start_edge
from rehearsal.services.files import make_secrets
from rehearsal.services.image import Image, write_image
from rehearsal.services.link import set_delay, start_link
from rehearsal.services.nameserver import start_nameserver
from rehearsal.state import State
from tasks.drivers.errors import ServiceFailed

SHOP_PORT = 8080


def prepare(plan: Plan) -> None:
    """Make the certificates and secrets, which machines and services need before they start."""
    plan.state.mkdir(mode=0o711, parents=True, exist_ok=True)
    make_certificates(plan)
    make_secrets(plan)


def start(plan: Plan, state: State, parts: Path) -> None:
    """Start and seed every service of the AWS side, in parallel, then turn the link's delay on.

    `parts` is the folder of the built programs (`shop`, `toxiproxy-server`). The namespaces must be up.
    Raises OutsideError.
    """
    prepare(plan)
    start_link(plan, state, parts / "toxiproxy-server")
    with ThreadPoolExecutor(6) as pool:
        starts = (start_aws_api, start_database, start_edge, start_nameserver)
        jobs = [pool.submit(start_one, plan, state) for start_one in starts]
        pushed = pool.submit(_start_registry, plan, state, parts / "shop")
        jobs[0].result()
        _seed(plan, pushed.result())
        for job in jobs:
            job.result()
    set_delay(plan)


def _start_registry(plan: Plan, state: State, program: Path) -> Image:
    archive = plan.state / "registry" / "shop.oci.tar"
    image = write_image(archive, program, name="shop", port=SHOP_PORT)
    registry.start_registry(plan, state)
    pushed = registry.push(plan, archive)
    if pushed != image.digest:
        raise ServiceFailed("registry", f"has {pushed} for {plan.image}, not {image.digest} as it was pushed")
    return image


def _seed(plan: Plan, image: Image) -> None:
    try:
        seed_account(plan, image)
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise ServiceFailed("aws-api", f"seeding the account: {error}") from error
