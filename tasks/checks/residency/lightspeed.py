"""How far a responder can be at most, from the least round trip: nothing outruns light in a vacuum.

The bound speaks of the responder only, not of copies of its data, nor of who imports them. A long round trip
says nothing: a near host may answer late.
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from inventory.models.processing import Vantage

LIGHT_KM_PER_MS = 299.792458  # the definition of the metre
EARTH_RADIUS_KM = 6371.0088  # IUGG mean radius
NIX1 = Vantage(name="nix1", latitude=59.944, longitude=10.718)  # Oslo, Gaustad
# Least distance from NIX1 of what a bound may exclude: the border's or coast's nearest point, and for AWS
# Stockholm the nearest of its sites.
LANDMARKS_KM = {
    "Sweden": 74.0,
    "AWS Stockholm": 327.0,
    "land outside the EEA (Shetland)": 644.0,
    "the contiguous United States": 5096.0,
}
OUTSIDE_EEA = "land outside the EEA (Shetland)"


def bound_km(round_trip_ms: float) -> float:
    """The greatest distance from which an answer can come in that time. Raises ValueError below or at 0."""
    if not round_trip_ms > 0:
        raise ValueError(f"a round trip of {round_trip_ms} ms")
    return LIGHT_KM_PER_MS * round_trip_ms / 2


def distance_km(one: Vantage, other: Vantage) -> float:
    """Great-circle distance (haversine)."""
    south, north = radians(one.latitude), radians(other.latitude)
    across = radians(other.longitude - one.longitude)
    h = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin(across / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, h)))


def excluded(vantage: Vantage, round_trip_ms: float) -> tuple[str, ...]:
    """Which landmarks the responder cannot be at, nearest first.

    A landmark lies no nearer to the vantage than its distance from NIX1 less that of the vantage (triangle).
    """
    away, bound = distance_km(vantage, NIX1), bound_km(round_trip_ms)
    return tuple(name for name, km in LANDMARKS_KM.items() if bound < km - away)
