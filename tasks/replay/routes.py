"""Which route a path belongs to: its first segment, and whether anything follows it."""

from __future__ import annotations

OVER_ALL = "*"
OTHER = "other"  # rare routes, pooled
MAX_ROUTES = 64  # a capture full of scanners' guesses must not make a route of each


def route_of(target: str) -> str:
    """`/` -> `/`, `/product/7?x=1` -> `/product/*`, `/search?q=a` -> `/search`."""
    path = target.partition("?")[0]
    first, slash, _ = path[1:].partition("/")
    return f"/{first}/*" if slash else f"/{first}"


def keep_common(routes: list[str], counts: list[int]) -> list[str]:
    """The route of each target, where those beyond the `MAX_ROUTES` most used become `other`.

    `routes[i]` and `counts[i]` belong to target i.
    """
    use: dict[str, int] = {}
    for route, count in zip(routes, counts, strict=True):
        use[route] = use.get(route, 0) + count
    if len(use) <= MAX_ROUTES:
        return list(routes)
    kept = set(sorted(use, key=lambda route: (-use[route], route))[:MAX_ROUTES])
    return [route if route in kept else OTHER for route in routes]
