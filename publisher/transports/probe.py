"""Tries whether a relay lets us in; sends no mail."""

from publisher.model.checkup import RelayAnswer
from publisher.model.delivery import Ending
from publisher.transports.session import Doorstep, Patience, Relay, Session

_GOODBYE_SECONDS = 3.0


class RelayProbe:
    """The relay that config names."""

    def __init__(self, relay: Relay, patience: Patience) -> None:
        self._relay = relay
        self._patience = patience

    async def ask(self) -> RelayAnswer | Ending:
        """Returns what the relay says of itself after TLS and login, or how the way there ended."""
        opened = await Doorstep(self._relay, self._patience).open()
        if not isinstance(opened, Session):
            return opened
        await opened.wire.quit(_GOODBYE_SECONDS)
        return RelayAnswer(size_limit=opened.size_limit, pipelining=opened.pipelining, reports=opened.dsn)
