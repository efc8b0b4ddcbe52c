"""A run while a real name server changes its mind, in a network and mount namespace of its own.

`python -m tests.replay.changing_name FOLDER`, as root under `unshare --net --mount`: the system's own
resolver asks the name server at 127.0.0.1 and no other. Each question has another answer, 127.0.0.1,
127.0.0.2 and so on, and none may be kept (TTL 0). Prints what was asked, and what the run was.
"""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

from tasks.replay.run import replay_run
from tests.replay.rude import RudeServer

NAME = "shop.changing.example"
REQUESTS = 10


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, ChangingNameServer)
        wire, answering = self.request
        query = dns.message.from_wire(wire)
        (question,) = query.question
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA | dns.flags.RA
        if question.rdtype == dns.rdatatype.A:
            server.asked.append(question.name.to_text(omit_final_dot=True))
            address = f"127.0.0.{len(server.asked)}"
            reply.answer.append(dns.rrset.from_text(question.name, 0, "IN", "A", address))
        answering.sendto(reply.to_wire(), self.client_address)


class ChangingNameServer(socketserver.UDPServer):
    """Answers by UDP at 127.0.0.1:53; `asked` are the names whose IPv4 address was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 53), _Handler)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


def main(folder: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for file, text in (
        ("resolv.conf", "nameserver 127.0.0.1\n"),
        ("hosts", "127.0.0.1 localhost\n"),
        ("nsswitch.conf", "hosts: files dns\n"),
    ):
        (folder / file).write_text(text)
        subprocess.run(["mount", "--bind", str(folder / file), f"/etc/{file}"], check=True)
    names, server = ChangingNameServer(), RudeServer()  # at 127.0.0.1, and at none of the later addresses
    log = folder / "capture.log"
    line = '203.0.113.5 - - [04/Oct/2015:13:55:36 +0200] "GET /quiet-close HTTP/1.1" 200 5 "-" "-"\n'
    log.write_text(line * REQUESTS)  # a new connection for each
    url = f"http://{NAME}:{server.port}"
    result = replay_run(log, url, folder / "out", rate_rps=20).result
    during = list(names.asked)
    afterwards = socket.getaddrinfo(NAME, server.port, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    told = {name: result[name] for name in ("done", "connections_opened", "address")}
    sys.stdout.write(json.dumps({"during": during, "afterwards": afterwards, "port": server.port, **told}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
