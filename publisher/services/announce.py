"""What goes out about single stories at every planning pass, before the newsletters: notices, and embargoed stories."""

from datetime import datetime

from publisher.model.reader import Sent
from publisher.services.desk import Desk
from publisher.services.embargo import Embargoes
from publisher.services.notify import Notifying


class Announcing:
    """Both planners, in their order: what was wrong comes before what is new."""

    def __init__(self, desk: Desk) -> None:
        self._notifying = Notifying(desk)
        self._embargoes = Embargoes(desk)

    async def due(self, now: datetime, *, impatient: bool = False) -> list[int]:
        """Plans what is due; returns the issues that have new recipients.

        `impatient`: also what may still be being written, for nobody will look again: somebody said so.
        """
        notices = await self._notifying.due(now, impatient=impatient)
        return [*notices, *await self._embargoes.due(now, impatient=impatient)]

    async def untold(self, now: datetime) -> dict[int, list[Sent]]:
        """Returns, by subscriber, what notices will bring before any newsletter goes out."""
        return await self._notifying.untold(now)

    async def next_due(self, now: datetime) -> datetime | None:
        """Returns when `due` has something to do next, as far as is known now."""
        moments = (await self._notifying.next_due(now), await self._embargoes.next_due(now))
        return min((moment for moment in moments if moment is not None), default=None)
