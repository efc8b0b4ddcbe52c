"""Options of `replay run` that spread it over machines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inventory.errors import BadInput

if TYPE_CHECKING:
    from tasks.replay.run import RunPlan


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Spreading:
    """Which other machines make the load.

    Parameters
    ----------
    spread
        The Dask scheduler whose workers make the load, as tls://HOST:8786 (runbooks/replay.md).
    generators
        How many workers there must be; by default all that are there are used.
    tls_ca_file
        The certificate authority of scheduler and workers, for tls://.
    tls_cert
        This machine's certificate by that authority.
    tls_key
        The key of this machine's certificate.
    spread_unencrypted
        Take a tcp:// scheduler on another machine: whoever reaches it runs code on the workers.
    """

    spread: str = ""
    generators: int = 0
    tls_ca_file: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    spread_unencrypted: Annotated[bool, Parameter(negative=())] = False


ALONE = Spreading()


def run_plan_of(spreading: Spreading) -> RunPlan | None:
    """How the replay is to make its run; None: on this machine. Raises BadInput."""
    if not spreading.spread:
        if spreading != ALONE:
            raise BadInput(
                "--generators, --tls-* and --spread-unencrypted belong to --spread tls://HOST:8786"
            )
        return None
    from tasks.replay.spread.run import spread_run  # Dask, which no other command wants
    from tasks.replay.spread.scheduler import Spread

    return partial(
        spread_run,
        Spread(
            scheduler=spreading.spread,
            generators=spreading.generators,
            tls_ca_file=spreading.tls_ca_file,
            tls_cert=spreading.tls_cert,
            tls_key=spreading.tls_key,
            unencrypted=spreading.spread_unencrypted,
        ),
    )
