"""Masquerading to a few ports, in a chain of its own: shared by the faults of connection tracking."""

from __future__ import annotations

# $1 protocol, $2 the Service's address that was asked, $3 the ports
MASQUERADE = """
iptables -w -t nat -N SH-FAULT &&
iptables -w -t nat -A SH-FAULT -p "$1" -m conntrack --ctorigdst "$2" -j MASQUERADE --to-ports "$3" &&
iptables -w -t nat -I POSTROUTING -j SH-FAULT
"""
REMOVE = """
iptables -w -t nat -S SH-FAULT > /dev/null 2>&1 || exit 0
while iptables -w -t nat -D POSTROUTING -j SH-FAULT 2> /dev/null; do :; done
iptables -w -t nat -F SH-FAULT && iptables -w -t nat -X SH-FAULT
"""
