"""One request at a time over HTTP/2: a libcurl easy handle that is used again and again.

libcurl sets headers, frames and flow control; what is asked was compiled before the run. Times within a
transfer are libcurl's own, taken when the thing happened: many answers are read in one go.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pycurl
import xxhash

from tasks.replay.records import Slots
from tasks.replay.server_timing import Reader
from tasks.replay.target_url import Endpoint

if TYPE_CHECKING:
    from tasks.replay.http2_channel import Channel

_AGREED = re.compile(rb"SSL connection using (\S+) / (\S+)")
_clock = time.monotonic
_hash = xxhash.xxh3_64_intdigest


@dataclass(frozen=True)
class Ask:
    """A request as libcurl wants it. `fields` are header lines; the length comes from the body."""

    method: str
    path: str
    fields: tuple[str, ...]
    body: bytes

    @classmethod
    def of(cls, wire: bytes) -> Ask:
        """From the bytes that HTTP/1.1 would send (`tasks.replay.job.wire_of`)."""
        head, _, body = wire.partition(b"\r\n\r\n")
        first, *fields = head.decode("ascii").split("\r\n")
        method, path, _ = first.split(" ")
        kept = [field for field in fields if not field.startswith("Content-Length:")]
        if method not in ("GET", "HEAD") and not any(field.startswith("Content-Type:") for field in kept):
            kept.append("Content-Type:")  # or libcurl makes one up
        return cls(method, path, tuple(kept), body)

    @property
    def safe(self) -> bool:
        """Whether it may be sent twice."""
        return self.method in ("GET", "HEAD")


@dataclass(frozen=True)
class Trust:
    """Whom TLS believes: a file of the site's own authorities, or the system's."""

    ca_file: str
    ca_path: str

    @classmethod
    def of(cls, ca_file: str) -> Trust:
        """As `ssl.create_default_context` has it; of the system's the folder, where there is one. Its file is
        read anew for every connection, and meanwhile nothing is sent (140 certificates: 38 ms)."""
        if ca_file:
            return cls(ca_file, "")
        system = ssl.get_default_verify_paths()
        return cls("", system.capath) if system.capath else cls(system.cafile or "", "")


class Stream:
    """`index` is the slot that it carries; `sent` whether it has left, `opened` as its connection's first."""

    __slots__ = (
        *("_chunk", "_hasher", "_head", "_server_timing", "_shape", "_slots"),
        *("channel", "curl", "index", "opened", "sent", "tls_seen"),
    )

    def __init__(self, slots: Slots, endpoint: Endpoint, trust: Trust, timeout_s: float) -> None:
        self._slots = slots
        self._shape: tuple[object, ...] = ()
        self.index = -1
        self.sent = self.opened = False
        self.tls_seen = ""
        self.channel: Channel
        self.curl: Any = _handle(endpoint, trust, timeout_s)
        self.curl.stream = self
        self.curl.setopt(pycurl.PREREQFUNCTION, self._sending)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._received)
        self._server_timing: Reader | None = None
        self._head = b""

    def connect_with(self, opened: Callable[[], socket.socket | int]) -> None:
        """Where it opens a connection, it does so with a socket of ours."""
        self.curl.setopt(pycurl.OPENSOCKETFUNCTION, lambda _purpose, _address: opened())

    def keep_timing(self, server_timing: Reader) -> None:
        """Keeps what answers state of the time that they took."""
        self._server_timing = server_timing
        self.curl.setopt(pycurl.HEADERFUNCTION, self._told)

    def overhear(self) -> None:
        """Notes in `tls_seen` what TLS agrees on: libcurl says it only in its trace."""
        self.curl.setopt(pycurl.DEBUGFUNCTION, self._traced)
        self.curl.setopt(pycurl.VERBOSE, True)

    def hush(self) -> None:
        """No trace any more: it costs."""
        self.curl.setopt(pycurl.VERBOSE, False)

    def load(self, index: int, ask: Ask, channel: Channel) -> None:
        """Takes the next request on; only what differs from the last one is set."""
        self.index, self.channel, self.sent, self.opened = index, channel, False, False
        self._chunk: bytes | None = None
        self._hasher: xxhash.xxh3_64 | None = None
        curl = self.curl
        curl.setopt(pycurl.REQUEST_TARGET, ask.path)
        shape = (ask.method, ask.fields, ask.body)
        if shape == self._shape:
            return
        self._shape = shape
        curl.setopt(pycurl.HTTPHEADER, ask.fields)
        curl.unsetopt(pycurl.CUSTOMREQUEST)
        curl.setopt(pycurl.HTTPGET, True)
        if ask.method == "HEAD":
            curl.setopt(pycurl.NOBODY, True)
        elif ask.method != "GET":
            curl.setopt(pycurl.POSTFIELDS, ask.body)
            curl.setopt(pycurl.CUSTOMREQUEST, ask.method)

    def record(self) -> None:
        """Writes the whole answer down."""
        slots, index = self._slots, self.index
        slots.first_byte_s[index] = self.first_byte_s
        slots.done_s[index] = self._at(pycurl.TOTAL_TIME_T)
        slots.status[index] = self.curl.getinfo(pycurl.RESPONSE_CODE)
        slots.body_hash[index] = self._hasher.intdigest() if self._hasher else _hash(self._chunk or b"")

        if self._server_timing is not None:
            slots.server_s[index] = self._server_timing(self._head)

    def record_opening(self) -> None:
        """Writes down what its connection took to open: TCP, and TLS."""
        tcp_us, tls_us = (
            self.curl.getinfo(moment) for moment in (pycurl.CONNECT_TIME_T, pycurl.APPCONNECT_TIME_T)
        )
        self._slots.connect_s.append((tcp_us - self.curl.getinfo(pycurl.NAMELOOKUP_TIME_T)) / 1e6)
        self._slots.tls_s.append((tls_us - tcp_us) / 1e6 if tls_us else math.nan)

    @property
    def first_byte_seen(self) -> bool:
        """Whether an answer has begun."""
        return self.head_bytes > 0

    @property
    def head_bytes(self) -> int:
        """Of the answer's head so far, interim ones included; libcurl itself gives up above 300 KiB."""
        return int(self.curl.getinfo(pycurl.HEADER_SIZE))

    @property
    def cut(self) -> bool:
        """Whether the system told of a lost connection."""
        return bool(self.curl.getinfo(pycurl.OS_ERRNO))

    @property
    def first_byte_s(self) -> float:
        """When it began."""
        return self._at(pycurl.STARTTRANSFER_TIME_T)

    def _at(self, moment: int) -> float:
        passed_us = self.curl.getinfo(moment) - self.curl.getinfo(pycurl.PRETRANSFER_TIME_T)
        return float(self._slots.sent_s[self.index] + passed_us / 1e6)

    @property
    def over_http2(self) -> bool:
        """Whether the answer came in that version: libcurl may choose another one on its own."""
        return bool(self.curl.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2)

    # What libcurl calls. An exception here would end only this transfer, so there is nothing to raise one.

    def _sending(self, _server: str, _own: str, _server_port: int, own_port: int) -> int:
        """The connection is there and the request leaves. What was lost libcurl sends again by itself, POST
        too: the second time it may not, as that is the engine's decision."""
        if self.sent:
            return int(pycurl.PREREQFUNC_ABORT)
        self.sent = True
        self._slots.sent_s[self.index] = _clock()
        if self.channel.carries(own_port):
            self._slots.fresh[self.index] = 1
            self.opened = True
        return int(pycurl.PREREQFUNC_OK)

    def _traced(self, kind: int, text: bytes) -> None:
        if kind == pycurl.INFOTYPE_TEXT and (told := _AGREED.match(text)):
            self.tls_seen = f"{told[1].decode()} {told[2].decode()}"

    def _told(self, line: bytes) -> None:
        self._head = line if line.startswith(b"HTTP/") else self._head + line  # an interim head is forgotten

    def _received(self, chunk: bytes) -> None:
        if self._chunk is None:
            self._chunk = chunk
        else:
            if self._hasher is None:
                self._hasher = xxhash.xxh3_64(self._chunk)
            self._hasher.update(chunk)


def _handle(endpoint: Endpoint, trust: Trust, timeout_s: float) -> Any:
    """What all requests have in common. The address is pinned; name and Host header stay the URL's."""
    curl = pycurl.Curl()
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    curl.setopt(pycurl.URL, f"{'https' if endpoint.tls else 'http'}://{endpoint.host_header}/")
    curl.setopt(pycurl.CONNECT_TO, [f"::{host}:{endpoint.port}"])
    curl.setopt(pycurl.PROXY, "")  # also not one of the environment
    curl.setopt(pycurl.NOSIGNAL, True)
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, round(timeout_s * 1000)))
    curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    curl.setopt(pycurl.SSL_VERIFYPEER, True)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2)
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, False)  # every handshake is a whole one, as over HTTP/1.1
    if endpoint.tls:
        for option, place in ((pycurl.CAINFO, trust.ca_file), (pycurl.CAPATH, trust.ca_path)):
            if place:
                curl.setopt(option, place)
            else:
                curl.unsetopt(option)
    return curl
