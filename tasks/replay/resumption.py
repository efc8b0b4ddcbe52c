"""TLS sessions that a returning client offers: the target may then leave out the dear half of a handshake."""

from __future__ import annotations

import ssl


class Offering:
    """An SSLContext, as far as an event loop asks it, that offers the session of an earlier connection."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession) -> None:
        self._context, self._session = context, session

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> ssl.SSLObject:
        """See `ssl.SSLContext.wrap_bio`."""
        return self._context.wrap_bio(incoming, outgoing, server_side, server_hostname, self._session)
