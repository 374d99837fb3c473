"""What proves a report, what does not, and what it then does: over a real store, from whole messages."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

import report_samples as samples
from ledger_rows import NOW, add_issue, states
from publisher.errors import NotFoundError, UnreachableError
from publisher.mail.message import message_id
from publisher.mail.tokens import Links, ReturnPath, Tokens
from publisher.model.issue import DeliveryState
from publisher.model.report import Effect, Meaning, Receipt, ReportKind
from publisher.services.bounces import Bounces
from publisher.stores import bounces
from publisher.stores.database import Database
from publisher.stores.facts import Facts
from publisher.stores.people import People
from publisher.stores.schema import deliveries
from report_samples import Mail

KEY = b"k" * 32
TOKENS = Tokens(KEY)
LINKS = Links("https://wire.example", TOKENS)
RETURN_PATH = ReturnPath("bounces@wire.example", TOKENS)


class Desk:
    """The service over a store, with one issue that went out to readers 1 to 5."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = bounces.Bounces(database, TOKENS.address_hash)
        self.facts = Facts(database)
        self.bounces = Bounces(self.store, self.facts, TOKENS, KEY)
        self.people = People(database)
        self.issue = 0

    async def send(self, people: Sequence[int]) -> None:
        """Makes the issue."""
        self.issue = await add_issue(self.database, people)
        async with self.database.write() as connection:
            await connection.execute(sa.update(deliveries).values(state=DeliveryState.ACCEPTED))

    def mail(self, reader: int) -> Mail:
        """The mail that a reader got."""
        return Mail(
            return_path=RETURN_PATH.of(self.issue, reader, ""),
            recipient=f"reader{reader}@example.com",
            message_id=message_id(KEY, self.issue, reader, "wire.example"),
            unsubscribe_url=LINKS.unsubscribe_url(reader, "daily"),
        )

    async def take(self, raw: bytes) -> Receipt:
        """Takes one message."""
        return await self.bounces.take_message(raw, NOW)

    async def suppressed(self) -> list[str | None]:
        """Who is never mailed."""
        return sorted(str(each.address) for each in await self.people.suppressions())


@pytest.fixture
async def desk(sqlite_database: Database) -> Desk:
    made = Desk(sqlite_database)
    await made.send(range(1, 6))
    return made


def without_path(mail: Mail) -> Mail:
    """The same mail, sent without a signed return path."""
    return replace(mail, return_path="news@wire.example")


@pytest.mark.parametrize(
    ("make", "meaning"),
    [
        (samples.postfix, Meaning.HARD),
        (lambda mail: samples.exim(mail, "smtp; 550 5.1.1 nobody"), Meaning.HARD),
        (samples.exchange, Meaning.HARD),
        (lambda mail: samples.gmail(mail, "550 5.1.1 nobody"), Meaning.HARD),
        (samples.qmail, Meaning.HARD),
        (samples.internationalised, Meaning.HARD),
        (samples.feedback, Meaning.COMPLAINT),
    ],
)
@pytest.mark.parametrize("signed", [True, False], ids=["return path", "Message-ID"])
async def test_either_proof_is_enough(
    desk: Desk, make: Callable[[Mail], bytes], meaning: Meaning, signed: bool
) -> None:
    """The reader it was about is mailed no more; twice is as good as once; the row keeps saying what happened."""
    mail = desk.mail(3) if signed else without_path(desk.mail(3))
    receipt = await desk.take(make(mail))
    assert (receipt.meaning, receipt.effect, receipt.address) == (meaning, Effect.SUPPRESSED, "reader3@example.com")
    assert receipt.issue == desk.issue
    assert (await desk.take(make(mail))).effect is Effect.REPEATED
    assert await desk.suppressed() == ["reader3@example.com"]
    assert await states(desk.database, desk.issue) == {"accepted": 5}
    assert await desk.bounces.tallies() == {meaning.value: 1}


async def test_the_token_survives_shouting_and_comes_back_as_envelope_id(desk: Desk) -> None:
    mail = desk.mail(2)
    raw = samples.postfix(replace(mail, return_path=mail.return_path.upper(), message_id="<lost@elsewhere>"))
    assert (await desk.take(raw)).effect is Effect.SUPPRESSED
    token = RETURN_PATH.of(desk.issue, 4, "").partition("+")[2].partition("@")[0]
    raw = samples.several(
        replace(without_path(desk.mail(4)), message_id="", return_path=f"QQ{token}"), [("x@y", "failed", "5.1.1")]
    )
    assert (await desk.take(raw)).effect is Effect.UNPROVEN  # part of a longer word is no token
    raw = raw.replace(b"QQ" + token.encode(), token.encode())
    assert (await desk.take(raw)).address == "reader4@example.com"


async def test_a_redacted_complaint_is_proved_by_the_unsubscribe_link(desk: Desk) -> None:
    receipt = await desk.take(samples.feedback(without_path(desk.mail(5)), redacted=True))
    assert (receipt.effect, receipt.address) == (Effect.SUPPRESSED, "reader5@example.com")


async def test_that_link_alone_proves_no_bounce(desk: Desk) -> None:
    mail = replace(without_path(desk.mail(5)), message_id="")
    assert (await desk.take(samples.postfix(mail))).effect is Effect.UNPROVEN


async def test_of_several_recipients_the_reader_s_own_word_counts(desk: Desk) -> None:
    """An alias that reaches some of its people is alive; what is said of the reader's address decides before that."""
    both = [("one@elsewhere", "failed", "5.1.1"), ("two@elsewhere", "delivered", "2.0.0")]
    receipt = await desk.take(samples.several(desk.mail(1), both))
    assert (receipt.meaning, receipt.effect) == (Meaning.NOTHING, Effect.NONE)
    receipt = await desk.take(samples.several(desk.mail(1), [*both, ("reader1@example.com", "failed", "4.2.2")]))
    assert (receipt.meaning, receipt.effect) == (Meaning.SOFT, Effect.RECORDED)
    receipt = await desk.take(samples.several(desk.mail(2), [("moved@elsewhere", "failed", "5.1.1")]))
    assert (receipt.effect, receipt.address) == (Effect.SUPPRESSED, "reader2@example.com")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (samples.vacation, ReportKind.REPLY),
        (samples.old_vacation, ReportKind.REPLY),
        (samples.receipt, ReportKind.REPLY),
        (samples.letter, ReportKind.OTHER),
        (samples.forwarded, ReportKind.OTHER),
        (lambda mail: samples.feedback(mail, "not-spam"), ReportKind.COMPLAINT),
        (lambda mail: samples.postfix(mail, "4.4.1", action="delayed"), ReportKind.BOUNCE),
        (lambda _: b"", ReportKind.UNREADABLE),
    ],
)
async def test_with_the_best_of_proofs_what_is_no_bounce_does_nothing(
    desk: Desk, make: Callable[[Mail], bytes], kind: ReportKind
) -> None:
    receipt = await desk.take(make(desk.mail(1)))
    assert (receipt.kind, receipt.effect) == (kind, Effect.NONE)
    assert await desk.suppressed() == []


def _forged(desk: Desk) -> dict[str, bytes]:
    """Every shape with every proof that somebody can make who does not have the key, and is not the reader."""
    mine, theirs = desk.mail(1), desk.mail(2)
    stranger = Tokens(b"x" * 32)
    own = mine.return_path.partition("+")[2].partition("@")[0]
    paths = {
        "none": "news@wire.example",
        "guessed": "bounces+2@wire.example",
        "of another key": ReturnPath("bounces@wire.example", stranger).of(desk.issue, 2, ""),
        "changed": f"bounces+{own[:-1]}{'a' if own[-1] != 'a' else 'b'}@wire.example",
        "shifted": f"bounces+{own[1:]}{own[0]}@wire.example",
        "of nobody": RETURN_PATH.of(desk.issue, 99, ""),
        "of no issue": RETURN_PATH.of(desk.issue + 7, 2, ""),
    }
    identities = {
        "mine for another": mine.message_id,
        "of another key": message_id(b"x" * 32, desk.issue, 2, "wire.example"),
        "of another issue": message_id(KEY, desk.issue + 1, 2, "wire.example"),
        "another issue's number": theirs.message_id.replace(f"<i{desk.issue}.", f"<i{desk.issue + 1}."),
        "huge": "<i999999999999999999." + "a" * 26 + "@wire.example>",
        "not ours": "<1234@elsewhere.example>",
    }
    links = {
        "none": "",
        "of another key": Links("https://wire.example", stranger).unsubscribe_url(2, "daily"),
        "preferences": LINKS.preferences_url(2).replace("/preferences/", "/unsubscribe/"),
    }
    shapes: dict[str, Callable[[Mail], bytes]] = {
        "postfix": samples.postfix,
        "exim": lambda mail: samples.exim(mail, "smtp; 550 5.1.1 nobody"),
        "exchange": samples.exchange,
        "gmail": lambda mail: samples.gmail(mail, "550 5.1.1 nobody"),
        "qmail": samples.qmail,
        "abuse": samples.feedback,
        "redacted": lambda mail: samples.feedback(mail, redacted=True),
    }
    corpus = {}
    for path_name, path in paths.items():
        for identity_name, identity in identities.items():
            for link_name, link in links.items():
                mail = Mail(return_path=path, recipient=theirs.recipient, message_id=identity, unsubscribe_url=link)
                for shape_name, shape in shapes.items():
                    corpus[f"{shape_name}, {path_name}, {identity_name}, {link_name}"] = shape(mail)
    return corpus


async def test_forged_reports_suppress_nobody(desk: Desk) -> None:
    """Security S28: the words are all there, the proofs are not; each is counted."""
    corpus = _forged(desk)
    for name, raw in corpus.items():
        receipt = await desk.take(raw)
        assert receipt.effect is Effect.UNPROVEN, name
        assert receipt.meaning in (Meaning.HARD, Meaning.COMPLAINT), name
    assert await desk.suppressed() == []
    assert await desk.bounces.tallies() == {"unproven": len(corpus)}
    assert len(corpus) > 800


async def test_somebody_s_own_proof_reaches_nobody_else(desk: Desk) -> None:
    """Whoever reports their own mail under another's name takes themselves off the list."""
    mine = replace(desk.mail(1), recipient="reader2@example.com")
    assert (await desk.take(samples.postfix(mine))).address == "reader1@example.com"
    assert await desk.suppressed() == ["reader1@example.com"]


async def test_a_proof_of_somebody_erased_is_void(desk: Desk) -> None:
    raw = samples.postfix(desk.mail(1))
    key = "reader1@example.com"
    await desk.people.erase(key, TOKENS.address_hash(key), "command", NOW)
    assert (await desk.take(raw)).effect is Effect.UNPROVEN


async def test_tokens_of_a_key_before_are_still_read(desk: Desk) -> None:
    raw = samples.postfix(desk.mail(1))
    renewed = Tokens(b"n" * 32, previous=[KEY])
    receipt = await Bounces(desk.store, desk.facts, renewed, KEY).take_message(raw, NOW)
    assert receipt.effect is Effect.SUPPRESSED


async def test_return_paths_tell_nothing_and_differ(desk: Desk) -> None:
    made = {RETURN_PATH.of(issue, reader, "") for issue in range(1, 21) for reader in range(1, 21)}
    assert len(made) == 400
    assert all(path.islower() and len(path.partition("@")[0]) <= 64 for path in made)
    assert RETURN_PATH.of(3, 7, "") == RETURN_PATH.of(3, 7, "")
    assert RETURN_PATH.plain("news@wire.example") == "bounces@wire.example"
    unset = ReturnPath("", TOKENS)
    assert unset.of(3, 7, "news@wire.example") == unset.plain("news@wire.example") == "news@wire.example"


async def test_approving_what_is_not_quarantined_says_so(desk: Desk) -> None:
    with pytest.raises(NotFoundError, match=r"issue 1 are not quarantined"):
        await desk.bounces.approve(1, NOW)
    with pytest.raises(NotFoundError, match="not quarantined"):
        await desk.bounces.dismiss(99, NOW)


# The mailbox ----------------------------------------------------------------------------------------------------------


class Box:
    """A mailbox that dies where it is told to."""

    def __init__(self, mails: Sequence[bytes], dies_at: str = "") -> None:
        self.mails = {str(number): raw for number, raw in enumerate(mails, start=1)}
        self.dies_at = dies_at
        self.read: list[str] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Box"]:
        self._live("session")
        yield self

    async def unread(self) -> list[str]:
        self._live("unread")
        return [uid for uid in self.mails if uid not in self.read]

    async def message(self, uid: str) -> bytes:
        self._live(f"message {uid}")
        return self.mails[uid]

    async def mark_read(self, uid: str) -> None:
        self._live(f"mark {uid}")
        self.read.append(uid)

    def _live(self, step: str) -> None:
        if step == self.dies_at:
            raise UnreachableError(f"gone at {step}")


@pytest.mark.parametrize("dies_at", ["session", "unread", "message 2", "mark 1", "mark 3"])
async def test_a_mailbox_that_dies_is_told_and_read_on_later(desk: Desk, dies_at: str) -> None:
    """Whatever was taken before is not taken twice; the trouble is over when the mailbox is back."""
    box = Box([samples.postfix(desk.mail(reader)) for reader in (1, 2, 3)] + [b"junk"], dies_at)
    await desk.bounces.collect(box, NOW)
    trouble = await desk.bounces.trouble()
    assert trouble is not None
    assert f"gone at {dies_at}" in trouble
    alone = dies_at in ("message 2", "mark 1", "mark 3")
    assert len(box.read) == (3 if alone else 0)
    box.dies_at = ""
    await desk.bounces.collect(box, NOW)
    assert await desk.bounces.trouble() is None
    assert sorted(box.read) == ["1", "2", "3", "4"]
    assert await desk.suppressed() == [f"reader{n}@example.com" for n in (1, 2, 3)]
    assert await desk.bounces.tallies() == {"hard": 3, "unreadable": 1}
