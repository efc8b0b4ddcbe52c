"""haproxy from 2.4: a structured-data element of a log target of its own.

`log-format-sd` reaches only targets with `format rfc5424`, so the logs that the site has stay as they are.
Each value is in base64: nothing that a customer sends can end a field, and `-` alone is haproxy's word for
what was not there. The client's address is its bytes. Source: haproxy configuration manual, `log`,
`log-format-sd`, `wait-for-body`.
"""

from __future__ import annotations

import base64
import binascii
import re

from tasks.replay.edges.edge import BEGIN, BODY_TYPES, END, FORWARDED, TAKE_OUT, TOLD_HEADERS, Edge, entry_of
from tasks.replay.formats.entry import BrokenLine, Entry

_HEADER = rb"<\d+>1 (?:\S+ ){5}"
_ELEMENT = re.compile(_HEADER + rb"\[safe-harbor@32473 at=\"(\d+)\"((?: [a-z-]+=\"[A-Za-z0-9+/=-]*\")+)\]")
_FIELD = re.compile(rb" ([a-z-]+)=\"([A-Za-z0-9+/=-]*)\"")
_BEGUN = re.compile(_HEADER + rb"\[safe-harbor@32473 ")
_FILE = "/etc/haproxy/haproxy.cfg"
_RELOAD = f"haproxy -c -f {_FILE} && systemctl reload haproxy"
_LINE_BYTES = 40_000  # a body and a long URL in base64
# In base64 it fits into haproxy's buffer of 16 KiB (tune.bufsize).
MAX_BODY_BYTES = 12_000
# The client's own time-outs end a wait long before: a wait that ends by itself is answered with 408.
_WAIT = "1h"


def lines(address: str, bodies: bool) -> str:
    """See `Edge`."""
    samples = {"client": "src", "method": "method", "target": "pathq", "host": "req.fhdr(host)"}
    samples |= {name: f"req.fhdr({name})" for name in (FORWARDED, *TOLD_HEADERS)}
    rules = [f"http-request set-var({_var(name)}) {sample}" for name, sample in samples.items()]
    if bodies:
        samples["body"] = "req.body"
        body = f"{{ method POST PUT PATCH DELETE }} {{ req.hdr(content-type) -m reg -i ^{BODY_TYPES} }}"
        body += f" {{ req.hdr_val(content-length) 1:{MAX_BODY_BYTES} }}"
        rules.append(f"http-request wait-for-body time {_WAIT} if {body}")
        rules.append(f"http-request set-var({_var('body')}) req.body if {body}")
    fields = " ".join(f'{name}="%[var({_var(name)}),base64]"' for name in samples)
    inside = [
        "http-request set-var(txn.safe_harbor_at) date(0,us)",
        *rules,
        f"log {address} len {_LINE_BYTES} format rfc5424 local0 info",
        f"log-format-sd '[safe-harbor@32473 at=\"%[var(txn.safe_harbor_at)]\" {fields}]'",
    ]
    about = [
        "# haproxy: in the frontend (mode http) that the customers reach, right below its `bind` lines.",
        f"# In:  {_RELOAD}",
        f"# Out: {TAKE_OUT} {_FILE} && {_RELOAD}",
        "# No other `log` line of this frontend may say `format rfc5424`: it would get this as well.",
    ]
    return "\n".join(f"    {line}" for line in (BEGIN, *about, *inside, END))


def parse(datagram: bytes) -> Entry | None:
    """See `Edge`."""
    if not _BEGUN.match(datagram):
        return None
    element = _ELEMENT.match(datagram)
    if element is None:
        raise BrokenLine("the element is cut off, or not of the lines that are shown")
    try:
        told = {
            name.decode(): base64.b64decode(value, validate=True)
            for name, value in _FIELD.findall(element[2])
            if value != b"-"
        }
    except binascii.Error as error:
        raise BrokenLine(f"a value is not base64: {error}") from error
    return entry_of(told, int(element[1]) / 1e6)


def _var(name: str) -> str:
    return f"txn.safe_harbor_{name.replace('-', '_')}"


EDGE = Edge("haproxy", lines, parse)
