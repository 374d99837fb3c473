"""Encoded mails, kept while there is room: what all readers of a variant share is made once."""

import asyncio
from collections import OrderedDict

from publisher.mail.message import Prepared
from publisher.model.delivery import Claimed
from publisher.ports import DeliveryStore
from publisher.services.letters import Letters

_OCTETS = 64 * 1024 * 1024


class Mails:
    """The mails of the variants that are being sent."""

    def __init__(self, deliveries: DeliveryStore, letters: Letters) -> None:
        self._deliveries = deliveries
        self._letters = letters
        self._kept: OrderedDict[int, Prepared] = OrderedDict()
        self._making = asyncio.Lock()

    def known(self, row: Claimed) -> Prepared | None:
        """Returns the encoded mail of a delivery's variant if it is kept."""
        prepared = self._kept.get(row.variant)
        if prepared is not None:
            self._kept.move_to_end(row.variant)
        return prepared

    async def prepared(self, row: Claimed) -> Prepared:
        """Returns the encoded mail of a delivery's variant, kept while there is room."""
        async with self._making:  # one at a time: whoever waits most likely wants the same
            prepared = self.known(row)
            if prepared is None:
                mail = await self._deliveries.mail(row.variant)
                prepared = self._letters.prepared(mail, row.kind, row.newsletter)
                self._keep(row.variant, prepared)
        return prepared

    def _keep(self, variant: int, prepared: Prepared) -> None:
        self._kept[variant] = prepared
        while len(self._kept) > 1 and sum(p.size for p in self._kept.values()) > _OCTETS:
            self._kept.popitem(last=False)
