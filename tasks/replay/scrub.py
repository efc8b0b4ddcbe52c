"""Takes secrets out of what is replayed: a log's query strings hold signatures and tokens."""

from __future__ import annotations

# Names of query parameters that give a right to whoever has them; compared in lower case. The `x-amz-` and
# `x-goog-` families are presigned URLs (AWS Signature V4, Google V4).
# fmt: off
SECRET_NAMES = frozenset({
    "access_token", "api_key", "apikey", "auth", "authorization", "code", "id_token", "jwt", "key-pair-id",
    "passwd", "password", "policy", "refresh_token", "secret", "session_token", "sig", "signature", "token",
})
# fmt: on
SECRET_PREFIXES = ("x-amz-", "x-goog-")


def scrubbed(target: str) -> str:
    """The target without the query parameters that may be secrets."""
    path, question, query = target.partition("?")
    if not question:
        return target
    kept = [pair for pair in query.split("&") if not _secret(pair.partition("=")[0])]
    return f"{path}?{'&'.join(kept)}" if kept else path


def _secret(name: str) -> bool:
    lower = name.lower()
    return lower in SECRET_NAMES or lower.startswith(SECRET_PREFIXES)
