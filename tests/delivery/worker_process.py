"""The real delivery in a process of its own that may be killed, from outside or by itself at an exact point.

Arguments: DATABASE-FOLDER PORT CONNECTIONS RESEND-AFTER [POINT NUMBER]. Runs until SIGTERM.
POINT is where it kills itself, when it comes there for the NUMBERth time:
claimed, before_mark, marked, sent, recorded.
"""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from publisher.engines.local import LocalEngine
from publisher.mail.tokens import Links, Tokens
from publisher.model.article import Access
from publisher.model.catalogue import Catalogue, Newsletter, Site
from publisher.model.delivery import Boot, Claimed, Ended, Ending, Letter, Policy
from publisher.model.text import Localized
from publisher.services.deliver import Delivering
from publisher.services.letters import Letters
from publisher.stores.database import Database
from publisher.stores.deliveries import Deliveries
from publisher.stores.stops import Stops
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport

KEY = b"k" * 32


class Clock:
    """The time of day."""

    def now(self) -> datetime:
        """Returns it."""
        return datetime.now(UTC)


class Killer:
    """Kills this process at one point."""

    def __init__(self, point: str, number: int) -> None:
        self._point = point
        self._left = number

    def at(self, point: str) -> None:
        """Says where we are."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class KilledDeliveries(Deliveries):
    """The store, watched."""

    killer: Killer

    async def claim(self, *arguments: object, **options: object) -> list[Claimed]:
        rows = await super().claim(*arguments, **options)  # type: ignore[arg-type]
        if rows:
            self.killer.at("claimed")
        return rows

    async def mark(
        self, boot: Boot, now: datetime, begun: Sequence[Claimed], ended: Sequence[Ended], *, margin: timedelta
    ) -> set[int]:
        if begun:
            self.killer.at("before_mark")
        granted = await super().mark(boot, now, begun, ended, margin=margin)
        if granted:
            self.killer.at("marked")
        if ended:
            self.killer.at("recorded")
        return granted


class KilledTransport(SmtpTransport):
    """The connections, watched."""

    killer: Killer

    async def send(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]]) -> Ending:
        ending = await super().send(letter, in_flight)
        self.killer.at("sent")
        return ending


def delivering(database: Database, port: int, connections: int, resend_after: float, killer: Killer) -> Delivering:
    """Returns the service as `app` would make it."""
    tokens = Tokens(KEY)
    site = Site(title="Example", url="https://news.example.org")
    daily = Newsletter(id="daily", title=Localized.of("Daily digest"))
    catalogue = Catalogue(
        site=site, sections={}, products={}, newsletters={"daily": daily}, default_access=Access.PUBLIC
    )
    deliveries = KilledDeliveries(database, tokens.address_hash, sandbox=False)
    relay = Relay(host="127.0.0.1", port=port, security="none", hostname="localhost")
    transport = KilledTransport(relay, connections, Patience.scaled(5))
    deliveries.killer = transport.killer = killer
    return Delivering(
        deliveries=deliveries,
        transport=transport,
        letters=Letters(catalogue, "Example <news@example.org>", Links(site.url, tokens), KEY),
        engine=LocalEngine(),
        clock=Clock(),
        boot=Boot(id=uuid.uuid4().hex, folder="/publication", host="here", pid=os.getpid(), started_at=Clock().now()),
        policy=Policy(connections=connections, resend_after=timedelta(seconds=resend_after)),
        stops=Stops(database, sandbox=False),
        relay="relay:25",
    )


async def main(folder: str, port: int, connections: int, resend_after: float, killer: Killer) -> None:
    """Delivers until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database = Database.open("sqlite:///publisher.db", Path(folder))
    try:
        await delivering(database, port, connections, resend_after, killer).run(stop)
    finally:
        await database.close()


if __name__ == "__main__":
    where, number = (sys.argv[5], int(sys.argv[6])) if len(sys.argv) > 6 else ("", 0)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), Killer(where, number)))
