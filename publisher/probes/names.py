"""Asks DNS."""

from collections.abc import Sequence
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

from publisher.errors import UnreachableError

_SECONDS = 5.0


class NameServers:
    """The machine's name servers, or those given."""

    def __init__(self, servers: Sequence[str] = (), port: int = 53) -> None:
        """`servers`: addresses; none: those of the machine."""
        self._servers = list(servers)
        self._port = port

    async def texts(self, name: str) -> tuple[str, ...]:
        """Returns the TXT records of a name, each as one text; UnreachableError when nobody answers."""
        found = await self._asked(name, dns.rdatatype.TXT)
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in found)

    async def exchangers(self, name: str) -> tuple[str, ...]:
        """Returns the mail servers of a domain, best first; `.` alone says that it takes no mail (RFC 7505)."""
        found = sorted(
            (record.preference, str(record.exchange)) for record in await self._asked(name, dns.rdatatype.MX)
        )
        return tuple(host if host == "." else host.rstrip(".") for _, host in found)

    async def _asked(self, name: str, kind: dns.rdatatype.RdataType) -> list[Any]:
        try:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = self._servers
                resolver.port = self._port
            return list(await resolver.resolve(name, kind, lifetime=_SECONDS, raise_on_no_answer=False))
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise UnreachableError(f"DNS gives no answer about {name}: {error}") from error
