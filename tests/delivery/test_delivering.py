"""The delivery service over real sockets and a real store: what becomes of each person's mail."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from ledger_rows import NOW, add_issue, issue_state, row, states
from publisher.clock import SystemClock
from publisher.engines.local import LocalEngine
from publisher.errors import PublisherError, UnreachableError
from publisher.mail.tokens import Links, Tokens
from publisher.model.article import Access
from publisher.model.catalogue import Catalogue, Newsletter, Site
from publisher.model.delivery import Boot, Claimed, Policy
from publisher.model.issue import IssueCounts, IssueKind, MailText
from publisher.model.people import Subscriber
from publisher.model.text import Localized
from publisher.ports import Guard, Reserve
from publisher.services import deliver, marks
from publisher.services.deliver import Delivering
from publisher.services.letters import Letters
from publisher.services.timekeeping import Timekeeping
from publisher.services.ways import Way
from publisher.stores.database import Database, micros
from publisher.stores.deliveries import Deliveries
from publisher.stores.moments import Moments
from publisher.stores.schema import deliveries, issues, subscriptions
from publisher.stores.stops import Stops
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport
from relays import CLOSE, SILENCE, ScriptedRelay

KEY = b"k" * 32
TOKENS = Tokens(KEY)
SHORT = Patience(connect=1.0, command=1.0, data=1.0, block=1.0, dot=1.0, total=6.0)
"""With relays that do not answer; all others may take their time."""


class MovedClock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        """Returns the time it is set to."""
        return self.at


class Desk:
    """A delivery service with its clock, store and relay."""

    def __init__(
        self,
        database: Database,
        relay: ScriptedRelay,
        policy: Policy,
        *,
        sandbox: bool,
        guards: Sequence[Guard] = (),
        reserve: Reserve | None = None,
        clock: SystemClock | None = None,
        patience: Patience | None = None,
    ) -> None:
        daily = Newsletter(id="daily", title=Localized.of("Daily digest"), sender="Daily <daily@example.org>")
        site = Site(title="Example", url="https://news.example.org")
        catalogue = Catalogue(
            site=site, sections={}, products={}, newsletters={"daily": daily}, default_access=Access.PUBLIC
        )
        self.clock = MovedClock()
        self.engine = LocalEngine()
        self.store = Deliveries(database, TOKENS.address_hash, sandbox=sandbox)
        self.transport = SmtpTransport(
            Relay(host="127.0.0.1", port=relay.port, security="none", hostname="localhost"),
            policy.connections,
            patience or Patience(),
        )
        self.delivering = Delivering(
            deliveries=self.store,
            ways=[Way(relay="relay:25", transport=self.transport, policy=policy)],
            letters=Letters(catalogue, "Example <news@example.org>", Links(site.url, TOKENS), KEY),
            engine=self.engine,
            clock=clock or self.clock,
            boot=Boot(id="one", folder="/a", host="h", pid=1, started_at=NOW),
            stops=Stops(database, sandbox=sandbox),
            guards=guards,
            reserve=reserve,
            keep_time=Timekeeping(clock, Moments(database)).look if clock else None,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the service's loop beside the test."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.delivering.run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 60)


@asynccontextmanager
async def desk(
    database: Database,
    script: dict[str, list[str | bytes]] | None = None,
    policy: Policy | None = None,
    *,
    sandbox: bool = False,
    guards: Sequence[Guard] = (),
    reserve: Reserve | None = None,
    clock: SystemClock | None = None,
    patience: Patience | None = None,
) -> AsyncIterator[tuple[Desk, ScriptedRelay]]:
    """Gives a service and its relay."""
    async with ScriptedRelay(script or {}, extensions=("PIPELINING",)).running() as relay:
        yield (
            Desk(
                database,
                relay,
                policy or Policy(connections=2),
                sandbox=sandbox,
                guards=guards,
                reserve=reserve,
                clock=clock,
                patience=patience,
            ),
            relay,
        )


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits for something that happens beside the test."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


async def test_an_issue_is_delivered_to_everybody_once(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 101))
    shown: list[IssueCounts] = []
    async with desk(sqlite_database) as (service, relay):
        drained = await service.delivering.drain(issue, shown.append)
    assert drained.counts == IssueCounts(planned=100, accepted=100)
    assert drained.trouble is None
    assert shown[-1] == drained.counts
    assert sorted(r.recipient for r in relay.received) == sorted(f"reader{n}@example.com" for n in range(1, 101))
    assert relay.most_at_once <= 2
    assert await issue_state(sqlite_database, issue) == "done"


async def test_each_mail_is_its_readers_own(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, [1, 2])
    async with desk(sqlite_database) as (service, relay):
        await service.delivering.drain(issue)
    by_recipient = {r.recipient: message_from_bytes(r.message, policy=default) for r in relay.received}
    assert len({message["Message-ID"] for message in by_recipient.values()}) == 2
    for number in (1, 2):
        message = by_recipient[f"reader{number}@example.com"]
        token = str(message["List-Unsubscribe"]).removeprefix("<https://news.example.org/unsubscribe/").rstrip(">")
        claim = TOKENS.read_unsubscribe(token)
        assert claim is not None
        assert (claim.subscriber, claim.newsletter) == (number, "daily")
        assert message["From"] == "Daily <daily@example.org>"
        assert message["List-Id"] == '"Daily digest" <daily.example.org>'
        assert f"Dear Reader {number}," in message.get_body(("plain",)).get_content()


async def test_service_mail_confirms_a_sign_up_and_belongs_to_no_list(sqlite_database: Database) -> None:
    text = "Confirm: \ue000confirm_url\ue001\n"
    issue = await add_issue(
        sqlite_database, [1], kind=IssueKind.MESSAGE, newsletter=None, event="signup:5", text=text, html=text
    )
    async with desk(sqlite_database) as (service, relay):
        await service.delivering.drain(issue)
    message = message_from_bytes(relay.received[0].message, policy=default)
    assert message["List-Unsubscribe"] is None
    assert message["From"] == "Example <news@example.org>"
    assert Links("https://news.example.org", TOKENS).confirm_url(5) in message.get_body(("plain",)).get_content()


async def test_a_greylisted_mail_goes_out_later_under_the_same_identity(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, [1])
    async with desk(sqlite_database, {"DOT": ["451 4.7.1 greylisted"]}) as (service, relay):
        drained = await service.delivering.drain(issue)
        assert (drained.counts.deferred, drained.trouble) == (1, None)
        waiting = await row(sqlite_database, 1)
        assert (waiting.state, waiting.reply_code, waiting.attempts) == ("deferred", 451, 1)
        assert micros(NOW + timedelta(minutes=5)) <= waiting.next_at <= micros(NOW + timedelta(minutes=6))
        service.clock.at += timedelta(minutes=6)
        drained = await service.delivering.drain(issue)
    assert drained.counts.accepted == 1
    identities = {message_from_bytes(r.message)["Message-ID"] for r in relay.received}
    assert len(relay.received) == 2
    assert len(identities) == 1


@pytest.mark.parametrize(
    ("script", "state", "reason"),
    [
        ({"RCPT": ["550 5.1.1 unknown"]}, "rejected", "address"),
        ({"RCPT": ["550 5.7.1 not from you"]}, "rejected", "recipient"),
        ({"DOT": [CLOSE]}, "uncertain", "disconnected"),
        ({"DOT": [SILENCE]}, "uncertain", "timeout"),
        ({"DOT": ["hello"]}, "uncertain", "garbage"),
        ({"DATA": [CLOSE]}, "deferred", "disconnected"),
        ({"RCPT": [SILENCE]}, "deferred", "timeout"),
        ({"RCPT": ["421 4.3.2 closing"]}, "deferred", "rcpt 421"),
        ({"MAIL": ["550 5.7.1 sender"]}, "deferred", "refused"),
        ({"DOT": ["554 5.7.1 spam"]}, "deferred", "refused"),
    ],
)
async def test_one_persons_trouble_is_that_persons(
    sqlite_database: Database, script: dict[str, list[str | bytes]], state: str, reason: str
) -> None:
    issue = await add_issue(sqlite_database, [1, 2, 3])
    patience = SHORT if reason == "timeout" else None
    async with desk(sqlite_database, script, Policy(connections=1), patience=patience) as (service, _):
        drained = await service.delivering.drain(issue)
    assert await states(sqlite_database, issue) == {"accepted": 2, state: 1}
    async with sqlite_database.read() as connection:
        found = await connection.scalar(sa.select(deliveries.c.reason).where(deliveries.c.state == state))
    assert found == reason
    assert drained.counts.planned == 3


async def test_content_that_the_relay_refuses_is_given_up_after_three_times(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, [1])
    async with desk(sqlite_database, {"DOT": ["554 5.7.1 spam"] * 3}) as (service, relay):
        for _ in range(3):
            await service.delivering.drain(issue)
            service.clock.at += timedelta(hours=1)
    given_up = await row(sqlite_database, 1)
    assert (given_up.state, given_up.reason, len(relay.received)) == ("rejected", "content", 3)


@pytest.mark.parametrize(
    ("script", "fault"),
    [({"CONNECT": ["554 5.3.2 go away"] * 9}, "554"), ({"EHLO": [CLOSE] * 9}, "disconnected")],
)
async def test_a_relay_that_cannot_be_talked_to_costs_nobody_an_attempt(
    sqlite_database: Database, script: dict[str, list[str | bytes]], fault: str
) -> None:
    issue = await add_issue(sqlite_database, range(1, 51))
    async with desk(sqlite_database, script) as (service, relay):
        drained = await service.delivering.drain(issue)
    assert drained.trouble is not None
    assert fault in drained.trouble
    assert await states(sqlite_database, issue) == {"pending": 50}
    async with sqlite_database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.sum(deliveries.c.attempts))) == 0
    assert relay.sessions <= 3 + 2  # three failures, and what the other connection was about to open
    assert await issue_state(sqlite_database, issue) == "paused"


async def test_the_service_finds_what_is_due_and_finishes_the_issue(sqlite_database: Database) -> None:
    async with desk(sqlite_database) as (service, relay), service.running():
        issue = await add_issue(sqlite_database, range(1, 21))
        service.engine.ring()

        async def done() -> bool:
            return await issue_state(sqlite_database, issue) == "done"

        await until(done)
        assert len(relay.received) == 20


async def test_a_bell_nobody_rang_is_made_up_for_by_polling(sqlite_database: Database) -> None:
    async with desk(sqlite_database) as (service, relay), service.running():
        await asyncio.sleep(0.2)
        await add_issue(sqlite_database, [1])
        await until(lambda: relay.received)


async def test_who_has_nothing_to_deliver_asks_no_oftener_than_the_poll(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = await add_issue(sqlite_database, [1])
    async with desk(sqlite_database, {"DOT": [SILENCE]}, Policy(connections=2), patience=SHORT) as (service, _):
        asked = 0
        claim, wait = service.store.claim, service.engine.wait
        rounds = asyncio.Semaphore(0)

        async def counted(*given: object, **named: object) -> object:
            nonlocal asked
            asked += 1
            return await claim(*given, **named)  # type: ignore[arg-type]

        async def waited(seconds: float) -> None:
            before = time.monotonic()
            await wait(seconds)
            if time.monotonic() - before > seconds / 2:
                rounds.release()

        monkeypatch.setattr(service.store, "claim", counted)
        monkeypatch.setattr(service.engine, "wait", waited)
        async with service.running():
            for _ in range(3):  # a letter under way, none waiting; then none at all
                await asyncio.wait_for(rounds.acquire(), 60)
            assert await issue_state(sqlite_database, issue) in ("sending", "done")
    assert asked < 20


async def test_an_uncertain_mail_is_sent_again_once_and_never_a_third_time(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, [1])
    policy = Policy(connections=1, resend_after=timedelta(minutes=15))
    async with desk(sqlite_database, {"DOT": [CLOSE, CLOSE]}, policy) as (service, relay):
        await service.delivering.drain(issue)
        await service.delivering.drain(issue)  # too early
        assert (len(relay.received), await issue_state(sqlite_database, issue)) == (1, "sending")
        for _ in range(3):
            service.clock.at += timedelta(minutes=15)
            await service.delivering.drain(issue)
            assert await issue_state(sqlite_database, issue) == "done_with_uncertain"
    assert len(relay.received) == 2
    assert len({message_from_bytes(r.message)["Message-ID"] for r in relay.received}) == 1


async def test_with_hold_an_uncertain_mail_stays_one(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, [1])
    policy = Policy(connections=1, resend_uncertain=False)
    async with desk(sqlite_database, {"DOT": [CLOSE]}, policy) as (service, relay):
        await service.delivering.drain(issue)
        service.clock.at += timedelta(days=1)
        await service.delivering.drain(issue)
    assert len(relay.received) == 1
    assert await issue_state(sqlite_database, issue) == "done_with_uncertain"


async def test_no_transaction_begins_for_somebody_who_has_left(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 61))
    async with desk(sqlite_database) as (service, relay), service.running():
        await until(lambda: len(relay.received) >= 5)
        async with sqlite_database.write() as connection:
            await connection.execute(
                sa.update(subscriptions)
                .where(subscriptions.c.subscriber_id == 60)
                .values(status="unsubscribed", unsubscribed_at=micros(NOW))
            )
        before = len(relay.received)

        async def done() -> bool:
            return await issue_state(sqlite_database, issue) == "done"

        await until(done)
    late = {r.recipient for r in relay.received[before + 2 :]}
    assert "reader60@example.com" not in late
    assert sum((await states(sqlite_database, issue)).values()) == 60


async def test_an_issue_that_is_cancelled_stops_at_once(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 400))
    async with desk(sqlite_database) as (service, relay), service.running():
        await until(lambda: len(relay.received) >= 5)
        async with sqlite_database.write() as connection:
            await connection.execute(sa.update(issues).values(state="cancelled"))
        before = len(relay.received)

        async def is_quiet() -> bool:
            return (await states(sqlite_database, issue)).keys() <= {"accepted", "pending"}

        await until(is_quiet)
        await asyncio.sleep(0.1)
        assert len(relay.received) <= before + 4
    assert await is_quiet()


async def test_a_mail_that_cannot_be_made_stops_nobody_else(sqlite_database: Database) -> None:
    bad = await add_issue(sqlite_database, [1], text="\ue000shoe_size\ue001")
    good = await add_issue(sqlite_database, [2, 3])
    async with desk(sqlite_database) as (service, _), service.running():

        async def done() -> bool:
            return await issue_state(sqlite_database, good) == "done"

        await until(done)

        async def given_up() -> bool:
            service.clock.at += timedelta(hours=1)
            service.engine.ring()
            return await states(sqlite_database, bad) == {"expired": 1}

        await until(given_up)
    assert await states(sqlite_database, good) == {"accepted": 2}
    given = await row(sqlite_database, 1)
    assert (given.reason, given.attempts) == ("poison", 3)


async def test_a_rate_is_kept(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 12))
    loop = asyncio.get_running_loop()
    async with desk(sqlite_database, policy=Policy(connections=4, rate=1200)) as (service, relay):
        begun = loop.time()
        await service.delivering.drain(issue)
        assert loop.time() - begun >= 10 * 0.05
    assert len(relay.received) == 11


async def test_a_domains_pace_is_kept_and_waited_for(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 5))
    async with desk(sqlite_database, policy=Policy(connections=4, per_domain=600)) as (service, relay):
        clock = asyncio.create_task(_with_real_seconds(service.clock))
        drained = await asyncio.wait_for(service.delivering.drain(issue), 60)
        clock.cancel()
    assert drained.counts.accepted == len(relay.received) == 4


async def _with_real_seconds(clock: MovedClock) -> None:
    while True:
        await asyncio.sleep(0.05)
        clock.at += timedelta(seconds=0.05)


async def test_a_test_mail_leaves_no_trace(sqlite_database: Database) -> None:
    mail = MailText(subject="[TEST] News", preheader="", html="<p>\ue000name\ue001</p>", text="\ue000name\ue001\n")
    to = Subscriber(number=0, address="editor@example.net", name="Editor", created_at=NOW)
    async with desk(sqlite_database) as (service, relay):
        assert (await service.delivering.deliver_test(mail, to, "daily")).accepted
        assert relay.commands[-1] == "QUIT"
    assert [r.recipient for r in relay.received] == ["editor@example.net"]
    async with sqlite_database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(deliveries)) == 0


async def test_where_python_misreads_our_mail_none_goes(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an issue nor a test; the rows wait as they are."""

    def misread() -> None:
        raise PublisherError("this Python reads mail differently")

    monkeypatch.setattr(deliver, "require_sound_mail", misread)
    issue = await add_issue(sqlite_database, [1])
    mail = MailText(subject="[TEST] News", preheader="", html="<p>x</p>", text="x\n")
    to = Subscriber(number=1, address="me@example.org", language="en", created_at=NOW)
    async with desk(sqlite_database) as (service, relay):
        with pytest.raises(PublisherError, match="differently"):
            await service.delivering.drain(issue)
        with pytest.raises(PublisherError, match="differently"):
            await service.delivering.deliver_test(mail, to, "daily")
    assert not relay.sessions
    assert await states(sqlite_database, issue) == {"pending": 1}


async def test_an_outage_of_the_store_lets_no_body_go(sqlite_database: Database) -> None:
    """Marks cannot be written for a while: what was claimed goes out afterwards, once."""
    issue = await add_issue(sqlite_database, range(1, 41))
    async with desk(sqlite_database) as (service, relay):
        failing = _Failing(service.store)
        service.delivering._deliveries = failing
        async with service.running():
            await until(lambda: len(relay.received) >= 4)
            failing.down = True
            await until(lambda: failing.refused >= 2)
            assert len(relay.received) <= failing.granted < 40
            failing.down = False

            async def done() -> bool:
                return await issue_state(sqlite_database, issue) == "done"

            await until(done)
    assert len(relay.received) == 40
    assert await states(sqlite_database, issue) == {"accepted": 40}


async def test_that_the_store_is_away_is_told_once_and_so_is_that_it_is_back(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By each of the two that need it all the time, however often they ask meanwhile."""
    monkeypatch.setattr(deliver, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(marks, "_AGAIN_SECONDS", 0.02)
    await add_issue(sqlite_database, range(1, 301))
    told: list[str] = []
    with capture_logs() as lines:
        async with desk(sqlite_database) as (service, relay):
            failing = _Failing(service.store)
            service.delivering._deliveries = failing
            async with service.running():
                for goal in (4, 12):
                    await until(lambda goal=goal: len(relay.received) >= goal)
                    failing.down, failing.refused, failing.looks = True, 0, 0
                    while failing.refused < 4 or failing.looks < 4:
                        service.engine.ring()  # so that it turns without asking, too: that is no answer
                        await asyncio.sleep(0.005)
                    failing.down = False
                    await until(lambda: sum(line["event"] in _BACK for line in lines) == 2)
                    told += [line["event"] for line in lines]
                    lines.clear()
    assert sorted(event for event in told if event in _AWAY + _BACK) == sorted(2 * (_AWAY + _BACK))


_AWAY = ["deliver.store", "marks.unwritten"]
_BACK = ["deliver.goes_on", "marks.written_again"]


class _Failing:
    """A store whose marks, and the look for what is due again, fail while it is `down`."""

    def __init__(self, store: Deliveries) -> None:
        self._store = store
        self.down = False
        self.refused = self.granted = self.looks = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def mark(self, *arguments: object, **options: object) -> set[int]:
        if self.down:
            self.refused += 1
            raise UnreachableError("the database does not answer")
        granted = await self._store.mark(*arguments, **options)  # type: ignore[arg-type]
        self.granted += len(granted)
        return granted

    async def next_wake(self, **options: Any) -> datetime | None:
        if self.down:
            self.looks += 1
            raise UnreachableError("the database does not answer")
        return await self._store.next_wake(**options)


@pytest.mark.parametrize("sandbox", [False, True])
async def test_draining_an_issue_of_the_other_mode_ends_at_once_and_says_why(
    sqlite_database: Database, sandbox: bool
) -> None:
    """It neither spins nor sends."""
    issue = await add_issue(sqlite_database, [1, 2], sandbox=not sandbox)
    async with desk(sqlite_database, sandbox=sandbox) as (service, relay), asyncio.timeout(60):
        drained = await service.delivering.drain(issue)
    assert "sandbox" in str(drained.trouble)
    assert drained.counts == IssueCounts(planned=2, deferred=2)
    assert relay.received == []


async def test_a_run_for_real_people_begins_by_cancelling_what_the_sandbox_left(sqlite_database: Database) -> None:
    """A confirmation mail and a digest, both planned for the sandbox's inbox, reach nobody."""
    digest = await add_issue(sqlite_database, [1, 2], sandbox=True)
    message = await add_issue(
        sqlite_database, [3], sandbox=True, kind=IssueKind.MESSAGE, newsletter=None, event="signup:3"
    )
    real = await add_issue(sqlite_database, [4])

    async def is_done() -> bool:
        return await issue_state(sqlite_database, real) == "done"

    async with desk(sqlite_database) as (service, relay), service.running():
        await until(is_done)
    assert [r.recipient for r in relay.received] == ["reader4@example.com"]
    assert await states(sqlite_database, digest) == {"cancelled": 2}
    assert await states(sqlite_database, message) == {"cancelled": 1}


async def test_in_the_sandbox_an_open_real_issue_waits(sqlite_database: Database) -> None:
    """It is neither delivered to the inbox and booked as accepted nor given up for its age."""
    real = await add_issue(sqlite_database, [1])
    own = await add_issue(sqlite_database, [2], sandbox=True)

    async def is_done() -> bool:
        return await issue_state(sqlite_database, own) == "done"

    async with desk(sqlite_database, sandbox=True) as (service, relay), service.running():
        await until(is_done)
    assert [r.recipient for r in relay.received] == ["reader2@example.com"]
    assert await states(sqlite_database, real) == {"pending": 1}


async def test_who_was_stopped_past_their_places_in_the_rates_gets_new_ones(sqlite_database: Database) -> None:
    """Nothing of what had its place a minute ago goes at once: other processes have had that minute's places."""
    issue = await add_issue(sqlite_database, range(1, 6))
    later = NOW + timedelta(minutes=1)
    claimed: list[Claimed] = []
    async with desk(sqlite_database, policy=Policy(connections=2, rate=1200)) as (service, relay):
        claim = service.store.claim

        async def stopped_after_the_first(*arguments: Any, **options: Any) -> list[Claimed]:
            rows = await claim(*arguments, **options)
            claimed.extend(rows)
            if rows:
                service.clock.at = later
            return rows

        service.store.claim = stopped_after_the_first  # type: ignore[method-assign]
        drained = await service.delivering.drain(issue)
    assert drained.counts == IssueCounts(planned=5, accepted=5)
    assert len(relay.received) == 5
    places = [row.not_before for row in claimed if row.not_before is not None]
    assert sorted(row.number for row in claimed) == sorted(2 * [row.number for row in claimed[:5]])
    assert all(place < later for place in places[:5])
    again = places[5:]
    assert again[0] >= later
    assert all(after - before >= timedelta(milliseconds=50) for before, after in pairwise(again))
    assert {row.attempts for row in claimed} == {1}
