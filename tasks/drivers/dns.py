"""A zone's authoritative server: queries, updates by RFC 2136 with TSIG. Implements `ports.DnsZone`."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from inventory.models.secret import Secret
from tasks.drivers.errors import Denied, HostUnreachable, ServiceFailed

_DENIED = (dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.BADVERS)


class AuthoritativeZone:
    """A zone on the server that answers for it: `server` is an address, `key` a base64 TSIG key."""

    def __init__(
        self,
        server: str,
        port: int,
        zone: str,
        key_name: str,
        key: Secret,
        algorithm: str = "hmac-sha256",
        timeout_s: float = 5.0,
    ) -> None:
        self._server, self._port, self._timeout_s = server, port, timeout_s
        self._zone = dns.name.from_text(zone)
        self._part = f"{server}:{port}"
        self._key_name = dns.name.from_text(key_name)
        self._algorithm = dns.name.from_text(algorithm)
        try:
            secret = base64.b64decode(key.reveal().strip(), validate=True)
        except ValueError:
            secret = b""
        if not secret:
            raise Denied(self._part, f"the TSIG key {key_name} is not base64 text")
        self._keyring = {self._key_name: dns.tsig.Key(self._key_name, secret, self._algorithm)}

    def address(self, name: str) -> tuple[tuple[str, ...], int]:
        """See `ports.DnsZone.address`; no record is `((), 0)`.

        Raises HostUnreachable; ServiceFailed where the answer is not authoritative.
        """
        owner = self._owner(name)
        query = dns.message.make_query(owner, dns.rdatatype.A)
        query.flags &= ~dns.flags.RD
        answer = self._ask(query)
        if answer.rcode() == dns.rcode.NXDOMAIN and answer.flags & dns.flags.AA:
            return (), 0
        if answer.rcode() != dns.rcode.NOERROR or not answer.flags & dns.flags.AA:
            raise ServiceFailed(
                self._part,
                f"does not answer for {self._zone} with authority ({dns.rcode.to_text(answer.rcode())})",
                "is dns.server the zone's authoritative server?",
            )
        for rrset in answer.answer:
            if rrset.name == owner and rrset.rdtype == dns.rdatatype.A:
                return tuple(sorted(record.address for record in rrset)), rrset.ttl
        return (), 0

    def name_servers(self) -> tuple[str, ...]:
        """See `ports.DnsZone.name_servers`. Raises HostUnreachable; ServiceFailed without authority."""
        query = dns.message.make_query(self._zone, dns.rdatatype.NS)
        query.flags &= ~dns.flags.RD
        answer = self._ask(query)
        if answer.rcode() != dns.rcode.NOERROR or not answer.flags & dns.flags.AA:
            raise ServiceFailed(self._part, f"does not answer for {self._zone} with authority")
        servers = [
            record.target.to_text(omit_final_dot=True)
            for rrset in answer.answer
            if rrset.name == self._zone and rrset.rdtype == dns.rdatatype.NS
            for record in rrset
        ]
        return tuple(sorted(servers))

    def set_address(self, name: str, addresses: Sequence[str], ttl_s: int) -> None:
        """See `ports.DnsZone.set_address`; returns once the server answers with the new records.

        Raises Denied where the key or the right is missing, HostUnreachable, ServiceFailed, and ValueError
        for an address that is none.
        """
        owner = self._owner(name)
        wanted = tuple(sorted(str(_address(address)) for address in addresses))
        if not wanted:
            raise ValueError(f"{name} would be left without an address")
        update = dns.update.UpdateMessage(self._zone, keyring=self._keyring, keyname=self._key_name)
        update.replace(owner, ttl_s, "A", *wanted)
        answer = self._ask(update)
        code = answer.rcode()
        if code in _DENIED:
            raise Denied(
                self._part,
                f"refuses to update {name} with the key {self._key_name}: {dns.rcode.to_text(code)}",
                "has the key the right to update this name?",
            )
        if code != dns.rcode.NOERROR:
            raise ServiceFailed(self._part, f"the update of {name} ended with {dns.rcode.to_text(code)}")
        deadline = time.monotonic() + self._timeout_s
        while (found := self.address(name)) != (wanted, ttl_s):
            if time.monotonic() > deadline:
                raise ServiceFailed(self._part, f"took the update of {name} but still answers {found}")
            time.sleep(0.05)

    def _owner(self, name: str) -> dns.name.Name:
        owner = dns.name.from_text(name)
        if not owner.is_subdomain(self._zone):
            raise ValueError(f"{name} does not lie in the zone {self._zone}")
        return owner

    def _ask(self, message: dns.message.Message) -> dns.message.Message:
        try:
            answer, _ = dns.query.udp_with_fallback(
                message, self._server, timeout=self._timeout_s, port=self._port
            )
        except (
            dns.tsig.PeerError,
            dns.tsig.BadSignature,
            dns.tsig.BadKey,
            dns.message.UnknownTSIGKey,
        ) as error:
            raise Denied(
                self._part,
                f"does not take the TSIG key {self._key_name}: {type(error).__name__}",
                "compare name, algorithm and key with the server's",
            ) from error
        except (OSError, dns.exception.Timeout) as error:
            raise HostUnreachable(self._part, f"the DNS server does not answer: {error}") from error
        except dns.exception.DNSException as error:
            raise ServiceFailed(self._part, f"an answer that is not understood: {error}") from error
        return answer


def _address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        raise ValueError(f"{text!r} is not an IPv4 address") from error
