"""What can go wrong outside, in the project's own words; commands answer these with exit 3."""

from __future__ import annotations


class OutsideError(Exception):
    """An outside part failed. `part` names it (`oslo-2`, `rds`, `registry.oslo:5000`)."""

    def __init__(self, part: str, what: str, remedy: str = "") -> None:
        self.part = part
        self.what = what
        self.remedy = remedy
        super().__init__(f"{part}: {what}" + (f"; {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[OutsideError], tuple[str, str, str]]:
        """It may come from another process: pickled by its parts, not by its message."""
        return type(self), (self.part, self.what, self.remedy)


class HostUnreachable(OutsideError):
    """No connection to the host."""


class HostKeyRefused(OutsideError):
    """The host's key is not the pinned one: stop, somebody else may be answering."""


class HostLocked(OutsideError):
    """Another run is changing the host; its holder is named."""


class LoginRefused(OutsideError):
    """The host or service does not take our credentials."""


class Denied(OutsideError):
    """We are known, but have no right to do this."""


class Throttled(OutsideError):
    """The service asks us to slow down, after all retries."""


class Unasked(OutsideError):
    """A question was not put: what it would be put to (a probe pod) is not there."""


class Unprobed(Unasked):
    """A question that only a probe pod can be put, and there is none."""


class CommandFailed(OutsideError):
    """A command ended with a non-zero exit or ran out of time."""


class ServiceFailed(OutsideError):
    """A service answered with an error."""
