"""What every step works with: the site, its drivers, its ledger, the clock; opened once a process."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from inventory.load import load_site
from inventory.models.site import Site
from inventory.profile_files import load_profile
from tasks.drivers.clock import SystemClock
from tasks.drivers.ports import Clock
from tasks.ledger import Ledger
from tasks.steps.drivers import Drivers
from tasks.steps.progress import Logged, Progress


@dataclass
class Workplace:
    """An opened site. `state` is `site.state`: ledger, stages, survey, reports."""

    site_file: Path
    site: Site
    drivers: Drivers
    ledger: Ledger
    clock: Clock
    actor: str
    progress: Progress = field(default_factory=Logged)

    @property
    def state(self) -> Path:
        """The folder that outlives the process."""
        return self.site.state


_CURRENT: ContextVar[Workplace] = ContextVar("workplace")


def current() -> Workplace:
    """The opened workplace. Raises LookupError outside `opened`."""
    return _CURRENT.get()


@contextmanager
def opened(
    site_file: Path | str,
    *,
    progress: Progress | None = None,
    actor: str = "",
    make_drivers: Callable[[Site], Drivers] = Drivers,
) -> Iterator[Workplace]:
    """Open the site, or reuse the one that is open in this context, as a subflow does.

    Raises BadInput for a bad site file or kernel profile, LedgerBroken where the trail does not verify.
    """
    path = Path(site_file).resolve()
    outer = _CURRENT.get(None)
    if outer is not None and outer.site_file == path:
        yield outer
        return
    site = load_site(path)
    load_profile(site.profile, site.profiles)  # a broken one is refused before anything is begun
    clock = SystemClock()
    actor = actor or getpass.getuser()
    site.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    drivers = make_drivers(site)
    with Ledger.open(site.state / "ledger", clock=clock, actor=actor) as ledger:
        place = Workplace(path, site, drivers, ledger, clock, actor, progress or Logged())
        token = _CURRENT.set(place)
        try:
            yield place
        finally:
            _CURRENT.reset(token)
            drivers.close()
