"""Takes in what comes back about mail: proves that it is about a delivery of ours, and lets it count.

A report counts only with a proof in it that nobody else can make: the signed
return path, the same token as envelope id, our Message-ID in the returned headers
together with the reader it was made for, or, in a complaint that hides all of
these, the reader's unsubscribe link. Names and visible text prove nothing
(security S28).
"""

import asyncio
import json
from datetime import datetime

import structlog

from publisher.errors import NotFoundError, PublisherError, ReportError
from publisher.mail.bounces import enhanced_in, meaning_of, meaning_of_feedback, mildness
from publisher.mail.message import is_message_id, issue_of
from publisher.mail.reports import read_report
from publisher.mail.tokens import Tokens
from publisher.model.report import (
    Effect,
    Event,
    KnownDelivery,
    Meaning,
    Quarantine,
    Receipt,
    Recipient,
    Report,
    ReportKind,
    Standing,
)
from publisher.ports import BounceStore, Facts, ReportMailbox

_TROUBLE = "report_mailbox_trouble"
_MOST_AT_ONCE = 500
"""Messages taken from the mailbox at one look; the rest comes with the next one."""
_TROUBLES_RIDDEN_OUT = 3
"""Messages in a row or not that cannot be had, until the rest waits for the next look."""
_MOST_GUESSES = 20
"""Addresses of one report that are looked up."""
_WITHOUT_EFFECT = frozenset({Effect.NONE, Effect.UNPROVEN})
_log = structlog.get_logger(__name__)


class Bounces:
    """The one use case: a report comes in, by whichever way."""

    def __init__(self, store: BounceStore, facts: Facts, tokens: Tokens, key: bytes) -> None:
        """`key` is what Message-IDs are made with."""
        self._store = store
        self._facts = facts
        self._tokens = tokens
        self._key = key

    async def take_message(self, raw: bytes, now: datetime) -> Receipt:
        """Takes a message as it came; what cannot be read is counted and said, never raised."""
        try:
            report = await asyncio.to_thread(read_report, raw)  # a crafted one takes its time
        except ReportError as error:
            await self._store.tally(ReportKind.UNREADABLE, now)
            return Receipt(kind=ReportKind.UNREADABLE, detail=str(error))
        return await self.take(report, now)

    async def take(self, report: Report, now: datetime) -> Receipt:
        """Takes a report that was read; counts whatever it was."""
        receipt = await self._judged(report, now)
        if receipt.effect is not Effect.REPEATED:
            await self._store.tally(receipt.effect if receipt.effect is Effect.UNPROVEN else receipt.meaning, now)
        if receipt.effect not in _WITHOUT_EFFECT:
            _log.info("bounces.taken", meaning=receipt.meaning.value, effect=receipt.effect.value, issue=receipt.issue)
        return receipt

    async def collect(self, mailbox: ReportMailbox, now: datetime) -> int:
        """Takes what is unread in a mailbox; returns how many messages. A mailbox that fails is told in `trouble`."""
        taken, troubles = 0, []
        try:
            async with mailbox.session() as box:
                for uid in (await box.unread())[:_MOST_AT_ONCE]:
                    try:
                        await self.take_message(await box.message(uid), now)
                        # Killed before this, the same report comes again and changes nothing.
                        await box.mark_read(uid)
                    except PublisherError as error:  # one message that cannot be had never keeps the others
                        troubles.append(error)
                        if len(troubles) == _TROUBLES_RIDDEN_OUT:
                            break
                    else:
                        taken += 1
        except PublisherError as error:
            troubles.append(error)
        await self._note_trouble(troubles[-1] if troubles else None, now)
        return taken

    async def _note_trouble(self, error: PublisherError | None, now: datetime) -> None:
        if error is not None:
            _log.warning("bounces.mailbox", error=str(error))
            said = json.dumps({"at": now.isoformat(timespec="seconds"), "error": str(error)})
            await self._facts.put(_TROUBLE, said)
        elif await self._facts.get(_TROUBLE):
            await self._facts.put(_TROUBLE, "")

    async def trouble(self) -> str | None:
        """Returns why the mailbox could not be read at the last look; None: it could."""
        said = await self._facts.get(_TROUBLE)
        if not said:
            return None
        told = json.loads(said)
        return f"{told['error']} (at {told['at']})"

    async def tallies(self) -> dict[str, int]:
        """Returns how many reports there were of each kind."""
        return await self._store.tallies()

    async def quarantines(self) -> list[Quarantine]:
        """Returns the issues with more hard bounces than are believed without asking."""
        return await self._store.quarantines()

    async def approve(self, issue: int, now: datetime) -> int:
        """Believes the hard bounces of a quarantined issue; returns how many addresses that suppressed."""
        return await self._settle(issue, Standing.APPROVED, now)

    async def dismiss(self, issue: int, now: datetime) -> None:
        """Takes the hard bounces of a quarantined issue for the work of a broken server: they suppress nobody."""
        await self._settle(issue, Standing.DISMISSED, now)

    async def _settle(self, issue: int, standing: Standing, now: datetime) -> int:
        suppressed = await self._store.settle(issue, standing, now)
        if suppressed is None:
            raise NotFoundError(f"the bounces of issue {issue} are not quarantined")
        return suppressed

    # ----------------------------------------------------------------------------------------------------------------

    async def _judged(self, report: Report, now: datetime) -> Receipt:
        said = _events(report, now)
        worst = max((event for _, event in said), key=_weight, default=Event(meaning=Meaning.NOTHING, at=now))
        if worst.meaning is Meaning.NOTHING:
            return _receipt(report, worst, Effect.NONE)
        addressee = await self._addressee(report)
        if addressee is None:
            return _receipt(report, worst, Effect.UNPROVEN)
        about = [event for recipient, event in said if addressee.address in recipient.addresses]
        event = min(about or [event for _, event in said], key=_weight)
        if event.meaning is Meaning.NOTHING:
            return _receipt(report, event, Effect.NONE, addressee)
        return _receipt(report, event, await self._store.record(addressee, event), addressee)

    async def _addressee(self, report: Report) -> KnownDelivery | None:
        """Looks for proof in the order of what is hardest to lose on the way."""
        for envelope in report.envelopes:
            token = self._tokens.read_return_path(envelope)
            if token is not None:
                return await self._store.addressee(token.issue, token.subscriber)
        readers = await self._readers(report)
        for identity in report.message_ids:
            issue = issue_of(identity)
            if issue is None:
                continue
            for reader in readers:
                if is_message_id(self._key, issue, reader, identity):
                    return await self._store.addressee(issue, reader)
        if report.kind is ReportKind.COMPLAINT:
            for link in filter(None, map(self._tokens.read_unsubscribe, report.unsubscribe)):
                found = await self._store.latest(link.subscriber, link.newsletter)
                if found is not None:
                    return found
        return None

    async def _readers(self, report: Report) -> list[int]:
        """Returns who the returned message may have been for: guesses, of which the Message-ID proves one."""
        if not report.message_ids:
            return []
        linked = [token.subscriber for token in map(self._tokens.read_unsubscribe, report.unsubscribe) if token]
        named = dict.fromkeys([a for each in report.recipients for a in each.addresses] + list(report.readers))
        found = [await self._store.subscriber_with(address) for address in list(named)[:_MOST_GUESSES]]
        return list(dict.fromkeys([*linked, *(number for number in found if number is not None)]))


def _events(report: Report, now: datetime) -> list[tuple[Recipient, Event]]:
    """Returns what a report says of each recipient it names."""
    if report.kind is ReportKind.COMPLAINT:
        meaning = meaning_of_feedback(report.feedback)
        return [(each, Event(meaning=meaning, at=now, detail=report.feedback)) for each in report.recipients]
    if report.kind is not ReportKind.BOUNCE:
        return []
    return [
        (
            each,
            Event(
                meaning=meaning_of(each),
                at=now,
                status=enhanced_in(each.status) or enhanced_in(each.diagnostic),
                detail=each.diagnostic,
            ),
        )
        for each in report.recipients
    ]


def _weight(event: Event) -> int:
    return mildness(event.meaning)


def _receipt(report: Report, event: Event, effect: Effect, addressee: KnownDelivery | None = None) -> Receipt:
    return Receipt(
        kind=report.kind,
        meaning=event.meaning,
        effect=effect,
        address=addressee.address if addressee else "",
        issue=addressee.issue if addressee else None,
        status=event.status,
        detail=event.detail,
    )
