"""Makes one reader's message of a variant and a delivery."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from publisher.mail.mailing_list import MailingList
from publisher.mail.message import Personal, Prepared, Sender, fill, message_id, prepare
from publisher.mail.tokens import Links, ReturnPath
from publisher.model.catalogue import Catalogue
from publisher.model.delivery import Claimed, Letter
from publisher.model.issue import IssueKind, MailText
from publisher.model.people import Subscriber

if TYPE_CHECKING:
    from publisher.mail.dkim import Signer

SIGNUP, REMINDER, ACCOUNT, MOVE_OLD, MOVE_NEW = "signup", "reminder", "account", "move-old", "move-new"
"""The event of service mail with a link of its own is `KIND:ID`, and the link is about that id."""


class Letters:
    """Knows senders, links and identities; a mail's words come from its variant."""

    def __init__(
        self,
        catalogue: Catalogue,
        sender: str,
        links: Links,
        key: bytes,
        signer: "Signer | None" = None,
        return_path: ReturnPath | None = None,
    ) -> None:
        """Takes who mails are from when their newsletter names nobody, what makes the Message-IDs, and who signs.

        `return_path`: where reports about them go, and the mark they carry; None: to the sender, unmarked.
        """
        self._catalogue = catalogue
        self._sender = sender
        self._links = links
        self._key = key
        self._return_path = return_path
        self._signer = signer

    def prepared(self, mail: MailText, kind: IssueKind, newsletter: str | None) -> Prepared:
        """Returns a mail encoded but for what is personal; service mail has no list headers."""
        declared = self._catalogue.newsletters.get(newsletter or "")
        sender = Sender.parse((declared.sender if declared else "") or self._sender)
        if kind is IssueKind.MESSAGE or newsletter is None:
            return prepare(mail, sender=sender, signer=self._signer)
        site = self._catalogue.site
        mailing_list = MailingList(
            id=newsletter,
            title=declared.title.in_language(site.language) if declared else newsletter,
            help_url=f"{site.url}/subscribe",
            owner=site.contact,
        )
        return prepare(mail, sender=sender, mailing_list=mailing_list, signer=self._signer)

    def letter(self, prepared: Prepared, row: Claimed, now: datetime) -> Letter:
        """Returns what goes over the wire for one delivery; the same Message-ID on every attempt."""
        personal = self._personal(
            prepared,
            subscriber=row.subscriber,
            name=row.name,
            address=row.address,
            generation=row.token_generation,
            newsletter=row.newsletter,
            event=row.event or "",
            issue=row.issue,
            identity=message_id(self._key, row.issue, row.subscriber, prepared.sender.domain),
            now=now,
        )
        path, sender = self._return_path, prepared.sender.address
        return Letter(
            sender=sender if path is None else path.of(row.issue, row.subscriber, sender),
            recipient=row.address,
            message=fill(prepared, personal),
            transparent=True,
            envelope_id=str if path is None else partial(path.envelope_id, row.issue, row.subscriber),
        )

    def test_letter(self, prepared: Prepared, to: Subscriber, newsletter: str | None, now: datetime) -> Letter:
        """Returns a test mail: nobody's delivery, a Message-ID of its own."""
        moment = int(now.timestamp() * 1_000_000)
        personal = self._personal(
            prepared,
            subscriber=to.number,
            name=to.name,
            address=to.address,
            generation=to.token_generation,
            newsletter=newsletter,
            event="",
            issue=None,
            identity=message_id(self._key, moment, to.number, prepared.sender.domain),
            now=now,
        )
        sender = prepared.sender.address
        sender = sender if self._return_path is None else self._return_path.plain(sender)
        return Letter(sender=sender, recipient=to.address, message=fill(prepared, personal), transparent=True)

    def _personal(
        self,
        prepared: Prepared,
        *,
        subscriber: int,
        name: str,
        address: str,
        generation: int,
        newsletter: str | None,
        event: str,
        issue: int | None,
        identity: str,
        now: datetime,
    ) -> Personal:
        links = self._links
        kind, _, number = event.partition(":")
        about = int(number) if number.isdecimal() else 0
        unsubscribe_url = links.unsubscribe_url(subscriber, newsletter) if newsletter is not None else None

        def value(slot: str) -> str:
            match slot:
                case "address":
                    return address
                case "name":
                    return name
                case "unsubscribe_url" if unsubscribe_url is not None:
                    return unsubscribe_url
                case "unsubscribe_url" | "preferences_url":
                    return links.preferences_url(subscriber)
                case "read_url":
                    return links.front_url() if issue is None else links.read_url(issue, subscriber)
                case "feed_url":
                    return links.feed_url(subscriber, generation)
                case "confirm_url":
                    return links.confirm_url(about)
                case "account_url":
                    return links.account_url(about)
                case "move_url":
                    return links.move_url(about, new_end=kind == MOVE_NEW)
            raise KeyError(slot)

        return Personal(
            name=name,
            address=address,
            message_id=identity,
            at=now,
            unsubscribe_url=unsubscribe_url,
            unsubscribe_mailto=links.unsubscribe_mailto(subscriber, newsletter) if newsletter is not None else None,
            values={slot: value(slot) for slot in prepared.slots},
        )
