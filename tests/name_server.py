"""A name server of the tests' own, on loopback: answers TXT and MX from a table, over UDP."""

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@contextmanager
def name_server(records: Mapping[tuple[str, str], list[str]]) -> Iterator[int]:
    """Yields its port; `records` are zone-file values by (name, type). A name that has none at all does not exist."""
    names = {name for name, _ in records}

    class Answering(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, socket = self.request
            query = dns.message.from_wire(data)
            [question] = query.question
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            name, kind = str(question.name).rstrip("."), question.rdtype.name
            if values := records.get((name, kind)):
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *values))
            elif name not in names:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            socket.sendto(answer.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
