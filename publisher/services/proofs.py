"""Previews as the messages that would go over the wire."""

import email
import email.policy
from datetime import datetime
from email.message import EmailMessage
from functools import cached_property

from publisher.mail.addresses import parse_address
from publisher.model.issue import IssueKind
from publisher.model.people import Subscriber
from publisher.ports import Clock, PeopleStore
from publisher.services.letters import Letters
from publisher.services.preview import Preview


class Proof:
    """One message, whole and in its parts."""

    def __init__(self, source: bytes) -> None:
        self.source = source

    @cached_property
    def _message(self) -> EmailMessage:
        return email.message_from_bytes(self.source, policy=email.policy.default)

    @property
    def html(self) -> str:
        """The HTML part, or what stands for it in a mail of plain text."""
        return self._part("html", "plain")

    @property
    def text(self) -> str:
        """The plain part."""
        return self._part("plain")

    def _part(self, *kinds: str) -> str:
        body = self._message.get_body(kinds)
        return "" if body is None else str(body.get_content()).replace("\r\n", "\n")


class Proofs:
    """Fills in what is personal in a preview: its reader's own links."""

    def __init__(self, *, letters: Letters, people: PeopleStore, language: str, clock: Clock) -> None:
        self._letters = letters
        self._people = people
        self._language = language
        self._clock = clock

    async def of(self, preview: Preview) -> Proof:
        """Returns the message that the preview's reader would get."""
        newsletter = preview.newsletter.id
        prepared = self._letters.prepared(preview.mail, IssueKind.DIGEST, newsletter)
        to, now = await self.recipient(preview.reader.address), self._clock.now()
        return Proof(self._letters.test_letter(prepared, to, newsletter, now).message)

    async def recipient(self, address: str) -> Subscriber:
        """Returns who has an address; somebody nobody knows, when it is not in the store."""
        found = await self._people.by_address(parse_address(address).key)
        return found or self._nobody(address, self._clock.now())

    def _nobody(self, address: str, now: datetime) -> Subscriber:
        return Subscriber(number=0, address=address, language=self._language, created_at=now)
