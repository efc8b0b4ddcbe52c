"""Times as captures write them -> seconds since the epoch, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from tasks.replay.formats.entry import BrokenLine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
_LATEST_S = 4_102_444_800.0  # 2100-01-01; a larger number counts in ms, us or ns


def clf_seconds(stamp: bytes, zone: bytes) -> float:
    """`04/Oct/2015:13:55:36` and `+0200`, as the common log format has them. Raises BrokenLine."""
    month = _MONTHS.get(stamp[3:6])
    if month is None:
        raise BrokenLine(f"no month is named {stamp[3:6].decode('ascii', 'replace')!r}")
    minutes = int(zone[1:3]) * 60 + int(zone[3:5])
    if int(zone[3:5]) > 59 or minutes > 14 * 60:
        raise BrokenLine(f"no time zone is {zone.decode()!r}; allowed: -1400 to +1400")
    offset = timezone(timedelta(minutes=minutes if zone[:1] == b"+" else -minutes))
    day, year, hour, minute, second = (
        int(stamp[a:b]) for a, b in ((0, 2), (7, 11), (12, 14), (15, 17), (18, 20))
    )
    try:
        # A leap second (60) is counted as the second before it, as POSIX time does.
        at = datetime(
            year, month, day, hour, minute, min(second, 59) if second == 60 else second, tzinfo=offset
        )
        return (at - _EPOCH).total_seconds()
    except (ValueError, OverflowError) as error:
        raise BrokenLine(f"no such time: {stamp.decode()} ({error})") from error


def iso_seconds(text: str) -> float:
    """ISO 8601 with a time zone; digits after the microsecond are cut off. Raises BrokenLine."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise BrokenLine(f"the time {text!r} has no time zone")
        return (at - _EPOCH).total_seconds()
    except (ValueError, OverflowError) as error:
        if isinstance(error, BrokenLine):
            raise
        raise BrokenLine(f"{text[:40]!r} is not a time of ISO 8601") from error


def epoch_seconds(value: float) -> float:
    """A number of seconds since the epoch, or of ms, us, ns where it is too large for one of seconds.

    Raises BrokenLine for what lies before 1970 or is no number.
    """
    if not 0 <= value < float("inf"):
        raise BrokenLine(f"{value} is not a time since 1970")
    for per_second in (1, 1e3, 1e6, 1e9):
        if value / per_second < _LATEST_S:
            return value / per_second
    raise BrokenLine(f"{value:g} is not a time before 2100")
