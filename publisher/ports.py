"""What the services need of the edges, as protocols over the nouns; `app` picks who satisfies them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from publisher.model.archive import PastIssue
from publisher.model.article import Article, Body, Problem
from publisher.model.checkup import RelayAnswer, WebAnswer
from publisher.model.delivery import Boot, Claimed, Ended, Ending, Letter, Lot, Rates, RelayRecord, Route, Stop, Tally
from publisher.model.files import FileStat, Scan
from publisher.model.forecast import Turn
from publisher.model.issue import (
    Brought,
    Cohort,
    DeliveryState,
    Edition,
    Issue,
    IssueCounts,
    IssueKind,
    IssueState,
    MailText,
    OpenSlot,
    Recipients,
    SendRequest,
    SlotState,
    StaleRow,
    StoryRef,
    Variant,
)
from publisher.model.notice import Addressee, Holders, Opened
from publisher.model.page import Page, PlainFile
from publisher.model.people import (
    Allowance,
    Confirmation,
    Consent,
    Enrolled,
    Enrolment,
    FeedReader,
    Licence,
    MoveAsked,
    MoveState,
    Person,
    Proof,
    SignUp,
    SignUpLimits,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
    Terms,
)
from publisher.model.publication import FileRecord, OutputRecord, Revision
from publisher.model.reader import Alike, Coverage, Reader
from publisher.model.report import Effect, Event, KnownDelivery, Quarantine, Standing
from publisher.model.segment import Picked
from publisher.model.trace import Carried, Mailed, Step


class Clock(Protocol):
    """Says what time it is; tests move it."""

    def now(self) -> datetime:
        """Returns the present moment, aware UTC."""


class SteadyClock(Clock, Protocol):
    """A clock that says a jump of the machine's, or of the database server's, only once it was reckoned with."""

    @property
    def jump(self) -> timedelta:
        """Returns by how much the clock was set and that has not been reckoned with; zero: it was not."""

    def steady(self) -> timedelta:
        """Returns the time since some moment, by a clock that nobody can set."""

    def reckon(self, by: timedelta) -> None:
        """Goes on by so much later, or earlier."""

    def follow(self, server: datetime, at: timedelta) -> None:
        """Goes by another machine's clock, which said `server` at `at` by `steady()`."""


class MomentStore(Protocol):
    """What is stored as a moment and means a while."""

    async def server_time(self) -> datetime | None:
        """Returns the time by which all is stored; None: it is this machine's."""

    async def moved(self) -> timedelta:
        """Returns by how much all jumps so far have moved what waits."""

    async def move(self, by: timedelta, known: timedelta, now: datetime) -> timedelta:
        """Moves what waits by a jump, unless another process has since `moved()` was `known`; returns that anew."""


class Renderer(Protocol):
    """Lays out pages and mails."""

    def page(self, name: str, language: str, **context: Any) -> str:
        """Returns the HTML of a web page."""

    def mail(self, edition: Edition) -> MailText:
        """Returns a digest's words, with markers where personal values go."""

    def message(self, kind: str, language: str, **context: Any) -> MailText:
        """Returns a service mail such as `confirmation` or `welcome`."""

    def fingerprint(self) -> str:
        """Returns a hash of all that pages and mails are laid out with."""


class Articles(Protocol):
    """What we know of the stories: identities, versions, bodies."""

    async def current(self) -> list[Article]:
        """Returns the latest version of every article that is not gone."""

    async def first_published(self, after: datetime, until: datetime) -> list[Article]:
        """Returns articles first published in (after, until], latest version each, oldest first."""

    async def ahead(self) -> list[Article]:
        """Returns articles that are still there and were never out: planned, scheduled and embargoed ones."""

    async def by_numbers(self, numbers: Iterable[int]) -> dict[int, Article]:
        """Returns the latest version of these articles, gone ones too."""

    async def bodies(self, versions: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Body]:
        """Returns bodies by (article number, version)."""


class Versions(Protocol):
    """What stories said before."""

    async def versions(self, numbers: Iterable[int]) -> dict[int, list[Article]]:
        """Returns all versions of these articles, oldest first."""


class Histories(Versions, Protocol):
    """The stories of which more is to be told than what they say."""

    async def recalled(self, since: datetime) -> list[int]:
        """Returns the numbers of stories that were recalled, released or corrected after `since`, or are held."""


class Stories(Articles, Histories, Protocol):
    """The stories as they are and as they were."""


class TraceStore(Protocol):
    """What is remembered of one story."""

    async def steps(self, article: int) -> list[Step]:
        """Returns its versions, oldest first."""

    async def carried(self, article: int) -> list[Carried]:
        """Returns the issues that had it, oldest first."""

    async def brought(self, article: int, subscriber: int) -> list[Mailed]:
        """Returns the mails to one person that had it, oldest first."""


class Outbox(Protocol):
    """Takes service mail (confirmation, welcome) into the delivery machine."""

    async def post(self, event: str, subscriber: int, language: str, mail: MailText, now: datetime) -> bool:
        """Queues one mail to one person, once per `event`; returns False when that event was already queued."""


class Source(Protocol):
    """The folder of stories; blocking."""

    def scan(self) -> Scan:
        """Returns all files as of now; raises SourceError rather than an empty scan when the folder cannot be read."""

    def stat(self, path: str) -> FileStat | None:
        """Returns one article's file as it is now, usable or not; None when it has gone or is none by its name."""

    def read(self, path: str) -> bytes:
        """Returns a file's bytes.

        Raises RefusedError for what must not or cannot be read, UnsettledError for a file that changed while it was
        read, and NotFoundError for one that has gone.
        """


class ArticleStore(Protocol):
    """What intake needs: the stories as stored, not completed by config."""

    async def current(self) -> list[Article]:
        """Returns the latest version of every article that is not gone."""

    async def bodies(self, versions: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Body]:
        """Returns bodies by (article number, version)."""

    async def gone(self) -> list[Article]:
        """Returns the last version of every article whose file is gone."""

    async def files(self) -> dict[str, FileRecord]:
        """Returns the snapshot of the folder."""

    async def note(self) -> None:
        """Takes note that everything is about to be read."""

    async def moved(self) -> bool:
        """Returns whether another process has saved since this one took note, or last saved."""

    async def edition(self) -> str:
        """Returns what is another one after every save by anybody; empty where nobody else saves."""

    async def save(
        self, revisions: Sequence[Revision], records: Sequence[FileRecord], vanished: Sequence[str], now: datetime
    ) -> list[Article]:
        """Stores new versions and the snapshot in one transaction; returns the articles with their numbers."""


class Custodian(Protocol):
    """Which of several nodes takes the articles folder in (decision 30)."""

    async def ours(self, now: datetime) -> bool:
        """Returns whether this node does so at present; takes its turn when nobody else has it."""


class FolderMark(Protocol):
    """What tells an articles folder from another, also where several machines share it."""

    @property
    def place(self) -> str:
        """Returns what tells the folder from others, but not who shares it."""

    def read(self) -> str | None:
        """Returns the mark, None for a folder that has none or is not there."""

    def write(self, mark: str) -> str:
        """Gives the folder a mark; returns the one by which it goes from now on."""


class Turns(Protocol):
    """What several processes do by turns."""

    async def hold(self, name: str, holder: str, now: datetime, lasting: timedelta) -> bool:
        """Returns whether it is this holder's turn, which lasts so long from now; by the database's clock."""

    async def supersede(self, name: str, before: str, after: str) -> bool:
        """Changes a fact that is `before` to `after` while no file was ever taken in; returns whether it did."""


class Facts(Protocol):
    """Single facts about the installation, by name."""

    async def get(self, name: str) -> str | None:
        """Returns a fact, or None while it has not been said."""

    async def settle(self, name: str, value: str) -> str:
        """Says a fact unless it was said before; returns the one that holds."""

    async def put(self, name: str, value: str) -> None:
        """Says a fact, whatever was said before."""


class Outputs(Protocol):
    """What stands in public/, as remembered."""

    async def outputs(self) -> dict[str, OutputRecord]:
        """Returns the record of every file, by path."""

    async def save_outputs(self, written: Sequence[OutputRecord], removed: Sequence[str]) -> None:
        """Remembers what was written and what was taken away."""

    async def output_paths(self) -> set[str]:
        """Returns the paths of all files."""

    async def redirects(self, numbers: Collection[int] | None = None) -> dict[str, int]:
        """Returns old addresses that lead to these articles (None: to any), and the numbers of those."""

    async def note_public(self, numbers: Sequence[int], now: datetime) -> None:
        """Remembers that the public knows these articles from now on, if it did not before."""

    async def once_public(self, numbers: Collection[int] | None = None) -> dict[int, set[str]]:
        """Returns every address of those of these articles (None: of all) that the public ever knew, by number."""


class FeedArchiveStore(Protocol):
    """Which stories the archive documents of feeds hold."""

    async def pages(self) -> dict[str, list[tuple[int, ...]]]:
        """Returns the numbers of the stories of every document in order, by feed."""

    async def add(self, feed: str, first: int, pages: Sequence[Sequence[int]]) -> bool:
        """Says what new documents hold, from number `first` on; False, and nothing, when one of them is there."""


class AnnouncementStore(Protocol):
    """What hubs were told of."""

    async def knows(self, hub: str) -> bool:
        """Returns whether a hub was ever told of anything."""

    async def unheard(self, hub: str) -> dict[str, str]:
        """Returns the files of feeds that are not as the hub was told, each with the hash of its bytes."""

    async def save(self, hub: str, heard: dict[str, str]) -> None:
        """Remembers what a hub was told of: bytes by their hash."""


class Hubs(Protocol):
    """WebSub hubs, which tell subscribers of changed feeds."""

    async def publish(self, hub: str, topic: str) -> None:
        """Says that a feed is another one; UnreachableError when the hub does not take it."""


class Output(Protocol):
    """The folder that is public."""

    def exists(self, path: str) -> bool:
        """Returns whether a file stands there."""

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Replaces files, each atomically, durable when this returns; OSError when one cannot be."""

    def stage(self, contents: Mapping[str, bytes]) -> Mapping[str, str]:
        """Writes files where nobody sees them yet; returns why some could not be."""

    def settle(self) -> Mapping[str, str]:
        """Puts all that is staged in its place, durable when this returns; returns why some could not be."""

    def remove(self, paths: list[str]) -> None:
        """Deletes files."""

    def sweep(self) -> set[str]:
        """Deletes what a killed process left half-done; returns the paths of all files that stand there."""


class Companions(Protocol):
    """What is published beside the stories."""

    def pages(self) -> Sequence[Page]:
        """Returns the pages that are neither news nor mail."""

    def files(self) -> Sequence[PlainFile]:
        """Returns the files that are published as they are."""

    def problems(self) -> Sequence[Problem]:
        """Returns what is wrong with those that are not published."""

    def asset(self, source: str) -> PlainFile | None:
        """Returns a file beside a story, by its path below the articles folder; None when there is none."""

    def fingerprint(self) -> str:
        """Returns a hash of what every page shows of these: the names of the pages."""


class PeopleStore(Protocol):
    """What is remembered of people."""

    async def by_number(self, number: int) -> Subscriber | None:
        """Returns one subscriber."""

    async def by_address(self, address_key: str) -> Subscriber | None:
        """Returns the subscriber with this address."""

    async def person(self, number: int) -> Person | None:
        """Returns one subscriber with subscriptions and licences."""

    def pages(self, size: int = 500, *, picked: Picked | None = None) -> AsyncIterator[list[Person]]:
        """Yields everybody, or those picked, `size` at a time, oldest first."""

    async def consents(self, subscriber: int) -> tuple[Consent, ...]:
        """Returns all that a person ever said yes or no to, oldest first."""

    async def consents_of(self, numbers: Sequence[int]) -> dict[int, tuple[Consent, ...]]:
        """Returns the same of several people; who said nothing is not in it."""

    async def enrol(
        self,
        enrolments: Sequence[Enrolment],
        feed_hash: Callable[[int, int], str],
        limits: SignUpLimits,
        now: datetime,
        *,
        dry_run: bool = False,
    ) -> list[Enrolled]:
        """Adds people, or to what they have, all or none; never loosens an opt-out."""

    async def signup(self, number: int) -> SignUp | None:
        """Returns one sign-up."""

    async def confirm(
        self,
        signup: int,
        newsletters: Sequence[str],
        products: Sequence[str],
        address_hash: Callable[[str], str],
        proof: Proof,
        now: datetime,
    ) -> Confirmation | None:
        """Confirms a sign-up once, with licences for `products`; None when there is none of that number."""

    async def subscribe(self, subscriber: int, newsletters: Sequence[str], proof: Proof, now: datetime) -> None:
        """Confirms these subscriptions at the wish of the person."""

    async def unsubscribe(
        self, subscriber: int, newsletters: Sequence[str] | None, proof: Proof, now: datetime
    ) -> tuple[str, ...]:
        """Ends these subscriptions (None: all) and returns those that it ended now."""

    async def undo_unsubscribe(
        self, subscriber: int, newsletter: str, since: datetime, proof: Proof, now: datetime
    ) -> bool:
        """Takes back an unsubscription that is not older than `since`."""

    async def describe(
        self,
        subscriber: int,
        *,
        name: str | None = None,
        language: str | None = None,
        timezone: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Changes what is known of a person; None leaves it, and forgets an attribute."""

    async def grant(
        self, subscriber: int, terms: Sequence[Terms], origin: str, now: datetime, *, renew: bool = True
    ) -> None:
        """Grants licences; `renew`: also where one had ended."""

    async def revoke(self, subscriber: int, products: Sequence[str], now: datetime) -> None:
        """Ends licences now; one that ended before keeps its date."""

    async def rotate_feed_token(self, subscriber: int, generation: int, token_hash: str, old_until: datetime) -> bool:
        """Moves a feed token from `generation` to the next; False when it is another one by now."""

    async def erase(self, address_key: str, address_hash: str, origin: str, now: datetime) -> bool:
        """Deletes a person; what is left is the keyed hash of the address."""

    async def suppress(
        self, address_key: str, address_hash: str, reason: SuppressionReason, origin: str, now: datetime
    ) -> bool:
        """Never mails this address again; False when it was suppressed before."""

    async def suppress_all(self, entries: Sequence[Suppression], *, dry_run: bool = False) -> list[bool]:
        """Never mails these addresses again, all or none; answers in the same order whether each is new."""

    async def suppression(self, address_hash: str) -> Suppression | None:
        """Returns why an address is never mailed; None when it may be."""

    async def unsuppress(self, address_hash: str) -> bool:
        """Lets an address be mailed again; False when it was not suppressed."""

    async def suppressions(self) -> list[Suppression]:
        """Returns who is never mailed, latest first."""


class CompactionStore(Protocol):
    """What was sent long ago, in less room."""

    async def ripe(self, finished_before: datetime) -> list[int]:
        """Returns the issues that ended before a moment and have rows to fold, oldest first."""

    async def compact(self, issue: int) -> bool:
        """Folds an issue's accepted deliveries that nothing came back for; False: it has not come to its end."""


class SignUpStore(Protocol):
    """Sign-ups that nobody answered."""

    async def unanswered(self, before: datetime, now: datetime) -> list[SignUp]:
        """Returns the web's sign-ups from before a moment that may still be confirmed and were not reminded of."""

    async def remind(
        self, signup: SignUp, address_hash: Callable[[str], str], allowances: Sequence[Allowance], now: datetime
    ) -> bool:
        """Notes that a sign-up is reminded of now, once; False when it was before, or its address was asked enough."""

    async def purge(self, before: datetime, now: datetime) -> int:
        """Forgets what was asked for before a moment and never confirmed; returns how many people that removed."""


class MoveStore(Protocol):
    """Changes of address."""

    async def ask(self, subscriber: int, to: Enrolment, limits: SignUpLimits, now: datetime) -> MoveAsked | None:
        """Notes that somebody wants another address, in place of an earlier wish; None: too often, or nobody there."""

    async def state(self, signup: int, *, new_end: bool, now: datetime) -> tuple[MoveState, int] | None:
        """Returns how one end finds a move, and whose it is; None when there is no such move."""

    async def agree(
        self, signup: int, *, new_end: bool, address_hash: Callable[[str], str], proof: Proof, now: datetime
    ) -> MoveState | None:
        """Takes the yes of one end, as often as it comes; with both the address is changed. None: no such move."""

    async def call_off(self, signup: int, now: datetime) -> None:
        """Ends a wish at the word of the old end; one that has come true stays true."""


class AccountLinkStore(Protocol):
    """Fresh links."""

    async def issue(
        self, subscriber: int, lasts: timedelta, allowances: Sequence[Allowance], now: datetime
    ) -> int | None:
        """Makes a link for somebody; None when there were enough of late, or the person is no more."""

    async def subscriber(self, link: int, now: datetime) -> int | None:
        """Returns whom a link is for; None when it has ended."""


class RecordStore(Protocol):
    """All that is held of one person."""

    async def of(self, subscriber: int) -> dict[str, Any] | None:
        """Returns everything by kind; None when there is nobody of that number."""


class ChoiceStore(Protocol):
    """What readers choose of newsletters."""

    async def alter(
        self,
        subscriber: int,
        newsletters: Collection[str],
        decide: Callable[[Subscription, str | None], Subscription],
        *,
        timezone: str | None = None,
    ) -> list[Subscription]:
        """Changes somebody's subscriptions to what `decide` makes of each and their own zone, in one transaction."""

    async def wake(self, now: datetime, decide: Callable[[Subscription, str | None], Subscription]) -> int:
        """Changes the subscriptions whose pause has ended; returns how many there were."""


class Transport(Protocol):
    """Mail out."""

    async def ready(self) -> None:
        """Makes ready to send; what was closed is so again."""

    def post(
        self,
        letter: Letter,
        in_flight: Callable[[], Awaitable[bool]],
        tell: Callable[[Ending | BaseException], None],
    ) -> object:
        """Hands over one letter, once ready; `tell` hears how its transaction ended, or what failed of our own.

        `in_flight` is awaited before the first byte of the body and may forbid it. The end of a letter is told before
        it is asked for the next one on the same connection.
        """

    async def send(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]]) -> Ending:
        """Runs one transaction by itself."""

    async def close(self) -> None:
        """Ends the sessions."""


class Engine(Protocol):
    """Who delivers: told after a commit that there is work; polling makes up for a bell nobody heard."""

    def ring(self) -> None:
        """Says that there is something to deliver."""

    async def wait(self, seconds: float) -> None:
        """Returns once somebody rang since the last call, or the time is over."""

    async def announce(self, lot: Lot) -> None:
        """Says to all processes that deliveries wait; never fails, for nothing depends on who hears it."""

    async def serve(self, stop: asyncio.Event) -> None:
        """Hears what other processes announce, until `stop`."""


class Lots(Protocol):
    """What there is to announce."""

    async def lots(self) -> tuple[Lot, ...]:
        """Returns one lot per issue that is being sent."""


class DeliveryStore(Protocol):
    """The states of every delivery; all changes conditional, all durable when they return."""

    async def barred(self, issue: int) -> str | None:
        """Returns why an unfinished issue cannot be delivered at present (sandbox or not); None: it can."""

    async def leave_sandbox(self, now: datetime) -> tuple[int, ...]:
        """Cancels what the sandbox left unfinished, once mail goes to real people; returns the issues' numbers."""

    async def enlist(self, boot: Boot) -> None:
        """Records a process that is about to claim."""

    async def dismiss(self, boot: Boot, now: datetime) -> None:
        """Records that a process has ended by itself."""

    async def recover(self, boot: Boot, now: datetime, *, owner: bool, grace: timedelta) -> int:
        """Takes rows back from workers that are gone; `owner`: this process holds its folder's lock."""

    async def claim(
        self,
        boot: Boot,
        now: datetime,
        *,
        limit: int,
        lease: timedelta,
        issue: int | None = None,
        alone: bool = False,
        digests: bool = True,
        rates: Rates = ...,
        route: Route = ...,
    ) -> list[Claimed]:
        """Claims due deliveries of those that go by one relay, each with its place in the rates.

        `alone`: nothing else is in hand, so one that may be poison can be tried; `digests` False: none of those.
        """

    async def renew(self, boot: Boot, now: datetime, lease: timedelta) -> None:
        """Extends the leases of what is claimed and not begun."""

    async def release(self, boot: Boot, numbers: Collection[int], next_at: datetime) -> None:
        """Gives claimed deliveries back untried."""

    async def disown(self, boot: Boot, held: Collection[int], now: datetime) -> int:
        """Gives back what is claimed in this process's name without its knowing; returns how many."""

    async def mark(
        self, boot: Boot, now: datetime, begun: Sequence[Claimed], ended: Sequence[Ended], *, margin: timedelta
    ) -> set[int]:
        """Records ends and marks beginnings in one transaction; returns the beginnings that were granted."""

    async def resend(self, now: datetime, after: timedelta, *, all_kinds: bool) -> int:
        """Makes uncertain deliveries pending again, each once in its life."""

    async def expire(self, now: datetime, max_age: timedelta) -> int:
        """Gives up what has waited too long."""

    async def finish(self, now: datetime, *, resend_all_kinds: bool) -> tuple[int, ...]:
        """Ends issues of which nothing is open any more; returns their numbers."""

    async def next_due(self, issue: int | None, route: Route = ...) -> datetime | None:
        """Returns when the next delivery of an issue being sent, or of any, that nobody has tried yet is due."""

    async def newsletters(self, issue: int) -> frozenset[str | None]:
        """Returns whose mails an issue brings; None: what is of no newsletter."""

    async def standing(self, issue: int) -> str | None:
        """Returns why an issue is paused or held; None: it is not."""

    async def next_wake(self, *, resend_after: timedelta, resend_all_kinds: bool) -> datetime | None:
        """Returns when the next delivery is due, None when none is; may be past."""

    async def mail(self, variant: int) -> MailText:
        """Returns a variant's words."""

    async def counts(self, issue: int) -> IssueCounts:
        """Returns an issue's deliveries by outcome."""

    async def unsettled(self, issue: int | None) -> dict[DeliveryState, int]:
        """Returns how many deliveries of issues being sent are open or uncertain, by state."""


class BounceStore(Protocol):
    """What came back about deliveries, and whom that suppresses."""

    async def addressee(self, issue: int, subscriber: int) -> KnownDelivery | None:
        """Returns one delivery that may have gone out, None when there was none."""

    async def subscriber_with(self, address_key: str) -> int | None:
        """Returns who has this address."""

    async def latest(self, subscriber: int, newsletter: str) -> KnownDelivery | None:
        """Returns the last delivery of a newsletter to somebody that may have gone out."""

    async def record(self, addressee: KnownDelivery, event: Event) -> Effect:
        """Keeps an event and suppresses as it demands; the same kind again changes nothing."""

    async def quarantines(self) -> list[Quarantine]:
        """Returns the issues whose hard bounces wait for the operator's word."""

    async def settle(self, issue: int, standing: Standing, now: datetime) -> int | None:
        """Ends an issue's quarantine; returns how many that suppressed, None when it was in none."""

    async def tally(self, name: str, now: datetime) -> None:
        """Counts one report."""

    async def tallies(self) -> dict[str, int]:
        """Returns how many reports there were of each kind."""


class ReportBox(Protocol):
    """One session with the mailbox that reports come into."""

    async def unread(self) -> list[str]:
        """Returns the ids of messages that were not read before, oldest first."""

    async def message(self, uid: str) -> bytes:
        """Returns a message, cut off a little beyond what is read as a report."""

    async def mark_read(self, uid: str) -> None:
        """Says that a message needs no more looking at."""


class ReportMailbox(Protocol):
    """The mailbox that reports come into."""

    def session(self) -> AbstractAsyncContextManager[ReportBox]:
        """Opens it; UnreachableError says why not."""


class NameServer(Protocol):
    """DNS."""

    async def texts(self, name: str) -> tuple[str, ...]:
        """Returns the TXT records of a name, each as one text; UnreachableError when nobody answers."""

    async def exchangers(self, name: str) -> tuple[str, ...]:
        """Returns the mail servers of a domain, best first; `.` alone: it takes no mail."""


class PublicWeb(Protocol):
    """The web as a stranger sees it."""

    async def get(self, url: str) -> WebAnswer:
        """Returns what an address answers, whatever its status; UnreachableError when nothing does."""


class RelayProbe(Protocol):
    """The relay that config names, to be asked without a mail."""

    async def ask(self) -> RelayAnswer | Ending:
        """Returns what the relay says of itself, or how the way to it ended."""


class StopStore(Protocol):
    """What stands still and why, over all processes."""

    async def relay(self, name: str) -> RelayRecord | None:
        """Returns what is known of a relay that is left alone; None: it is well."""

    async def trip(self, name: str, record: RelayRecord) -> None:
        """Leaves a relay alone."""

    async def probe(self, name: str, now: datetime, until: datetime) -> bool:
        """Takes the right to try a relay whose time is over, alone until `until`."""

    async def mend(self, name: str) -> None:
        """Forgets that a relay was left alone."""

    async def pause_all(self, reason: str, route: Route) -> tuple[int, ...]:
        """Pauses what is being sent by a relay."""

    async def resume_all(self, route: Route) -> tuple[int, ...]:
        """Lets go on what was paused because of its relay."""

    async def pause(self, issue: int, reason: str) -> bool:
        """Pauses one issue until it is released."""

    async def being_sent(self, route: Route) -> tuple[int, ...]:
        """Returns the issues of newsletters that are being sent by a relay."""

    async def tally(self, issue: int) -> Tally:
        """Returns what came back for an issue since it was last let go by hand."""


class Guard(Protocol):
    """Something without which nothing may be sent."""

    def stop(self) -> Stop | None:
        """Returns why nothing may be sent at present; None: nothing is in the way."""


class Reserve(Protocol):
    """Room that is kept for what must be written when there is none left."""

    def stock(self) -> None:
        """Lays the reserve in again, if there is room."""

    def relieve(self) -> None:
        """Gives the room free."""


class IssueStore(Protocol):
    """The ledger of cohorts, slots, issues and variants; all of it can be said twice and by two processes at once."""

    async def cohort(self, newsletter: str, cadence: str, zone: str, now: datetime) -> Cohort:
        """Returns the readers' clock, made at `now` if it is new."""

    async def find_cohort(self, newsletter: str, cadence: str, zone: str) -> Cohort | None:
        """Returns the readers' clock, if there was one before."""

    async def last_slot(self, cohort: int) -> datetime | None:
        """Returns when the cohort's latest slot was due."""

    async def periods(self, cohort: int, after: datetime) -> set[str]:
        """Returns the periods of the cohort's slots due after an instant."""

    async def grant_slot(
        self, cohort: int, period: str, due_at: datetime, now: datetime, state: SlotState = SlotState.GRANTED
    ) -> bool:
        """Grants the right to send once in this period; False when it was granted before."""

    async def grant_manual_slot(self, cohort: int, now: datetime) -> str:
        """Grants the next `manual:<n>` slot of a cohort; returns its period."""

    async def open_slots(self) -> list[OpenSlot]:
        """Returns the slots that were granted and whose planning has not come to its end, oldest first."""

    async def close_empty(self, slot: int, issue: int | None = None) -> bool:
        """Ends a slot that brought nothing to anybody; `issue`, begun for it in vain, goes if it has no recipient."""

    async def begin(
        self,
        slot: OpenSlot,
        window: tuple[datetime, datetime],
        now: datetime,
        *,
        sandbox: bool,
        on_web: bool = False,
    ) -> Issue | None:
        """Returns the slot's one issue, made if it is new; None: the slot has come to its end."""

    async def of_slot(self, slot: int) -> Issue | None:
        """Returns a slot's issue."""

    async def unfinished(self, cohort: int, *, sandbox: bool) -> Issue | None:
        """Returns a cohort's oldest issue, planned with the sandbox on or off, that has not come to its end."""

    async def planned(self, issue: int, first: int, last: int) -> dict[int, int]:
        """Returns which subscribers from `first` to `last` have their row in an issue, and of which variant."""

    async def outcomes(self, issue: int) -> dict[str, int]:
        """Returns the variants an issue has already, by outcome."""

    async def add_variants(self, issue: int, said: Mapping[str, Variant]) -> dict[str, int]:
        """Freezes some renderings, by outcome, in one transaction; returns their keys."""

    async def add_variant(self, issue: int, outcome: str, variant: Variant) -> int:
        """Freezes one rendering; returns its key, that of the first one with the same outcome."""

    async def add_deliveries(self, issue: int, shares: Sequence[Recipients], mark: int, now: datetime) -> bool:
        """Gives recipients their rows; False when coverage changed since `mark`."""

    async def finish_planning(
        self, issue: int, readers: Mapping[int, int], hold_reasons: Sequence[str]
    ) -> IssueState | None:
        """Lets an issue go, or holds it, once there are as many rows as `readers` says of each variant; else None."""

    async def changes(self, change: str, after: datetime, until: datetime) -> dict[int, tuple[int, datetime]]:
        """Returns articles with a version of a kind of change that came in (after, until]: the latest, and when."""

    async def real_recipients(self, cohort: int | None = None) -> int | None:
        """Returns how many real people got the last issue; None when there was none."""

    async def issue(self, number: int) -> Issue | None:
        """Returns one issue."""

    async def next_edition(self, newsletter: str) -> int:
        """Returns the number that a newsletter's next issue gets."""

    async def stories(self, issue: int) -> list[StoryRef]:
        """Returns every story that an issue brought to anybody."""

    async def newest(self, newsletter: str) -> Issue | None:
        """Returns the latest issue on a newsletter's own clock that was let go, if there is one."""

    async def introduce(self, event: str, subscriber: int, newsletter: str, variant: Variant, now: datetime) -> bool:
        """Queues a newsletter's latest issue to one person, once per `event`; False when that was done before."""

    async def release(self, issue: int, now: datetime) -> bool:
        """Lets a held or paused issue go; alarms count anew, and a relay that is left alone is tried again."""

    async def take_requests(self, now: datetime) -> list[SendRequest]:
        """Returns the wishes to send that nobody took before, each to one caller only."""

    async def answer_request(self, number: int, issue: int | None, answer: dict[str, Any]) -> None:
        """Says what came of a wish."""


class PastIssues(Protocol):
    """The issues that stand on the web."""

    async def numbers(self) -> list[int]:
        """Returns the numbers of all of them, oldest first."""

    async def issues(self, numbers: Iterable[int]) -> list[PastIssue]:
        """Returns these issues with what they brought, oldest first."""


class Revisions(Protocol):
    """Waiting deliveries whose contents are in doubt; every change names what it expects."""

    async def doubtful(self, now: datetime, limit: int) -> list[StaleRow]:
        """Returns waiting deliveries of issues being sent that must be decided anew."""

    async def replace(
        self, rows: Collection[int], issue: int, before: int, outcome: str, variant: Variant, now: datetime
    ) -> int:
        """Gives waiting deliveries another variant than `before`; returns how many they were."""

    async def confirm(self, rows: Collection[int], variant: int, now: datetime) -> int:
        """Says of waiting deliveries that what they bring was right as of `now`."""

    async def give_up(self, rows: Collection[int], variant: int, now: datetime) -> int:
        """Ends waiting deliveries that have nothing left to bring."""

    async def doubt_everything(self) -> int:
        """Has everything that waits decided anew."""

    async def tidy(self, issue: int) -> int:
        """Takes away what an issue was to say and nobody got; returns how many variants that is."""


class NoticeStore(Protocol):
    """What was told about stories, and who has them; all of it can be said twice and by two processes at once."""

    async def changed(self, changes: Iterable[str], after: datetime, until: datetime) -> list[int]:
        """Returns the articles with a version of one of these kinds that came in (after, until]."""

    async def begin(self, event: str, kind: IssueKind, subject: str, now: datetime) -> Opened:
        """Returns the event's one issue, made if it is new."""

    async def opened(self, event: str) -> Opened | None:
        """Returns the event's issue, if there is one."""

    async def settled(self, issue: int, article: int) -> bool:
        """Returns whether nothing that decides who is told has happened since the issue was last looked at."""

    async def told(self, issue: int, first: int, last: int, now: datetime) -> dict[int, bool]:
        """Returns who from `first` to `last` has a row in an issue, and whether it must be decided anew."""

    async def add(
        self, issue: int, rows: Sequence[tuple[int, int, bool]], mark: int, held: Sequence[str], now: datetime
    ) -> bool:
        """Gives people (subscriber, variant, suppressed) their rows; False when others planned since `mark`."""

    async def finish(self, issue: int, held: Sequence[str], now: datetime) -> IssueState | None:
        """Lets an issue go, or holds it; None when it was not being planned."""

    async def end(self, issue: int, numbers: Collection[int], reason: str, now: datetime) -> None:
        """Ends the rows of people who wait in an issue and are not to get it any more."""

    async def looked(self, issue: int, now: datetime) -> None:
        """Notes that everybody who has the story at `now` is told of the event."""

    async def unfinished(self, kind: IssueKind) -> list[str]:
        """Returns the events of issues of a kind that have not come to their end."""

    async def supersede(self, events: Collection[str], now: datetime) -> int:
        """Ends what the issues of these events still were to say; returns how many mails it ends."""

    def holders(self, article: int) -> AsyncIterator[Holders]:
        """Yields those who have a story, or are about to get it, range by range of subscribers."""

    async def cleared(self, now: datetime) -> list[int]:
        """Returns who has a licence in force that clears for embargoes."""

    async def within(self, segments: Sequence[str], numbers: Iterable[int]) -> set[int]:
        """Returns which of these people are in all of some segments."""

    async def addressees(self, numbers: Iterable[int], *, paused: bool = True) -> dict[int, Addressee]:
        """Returns people with all that decides what they are told."""


class ReaderGroups(Protocol):
    """A newsletter's readers by what can make a difference, range by range of subscribers."""

    async def reach(self, after: int, limit: int) -> int | None:
        """Returns the number of the last of the `limit` readers that come after a number; None: there are no more."""

    async def alike(self, first: int, last: int) -> list[Alike]:
        """Returns the confirmed readers with numbers from `first` to `last`."""


class History(Protocol):
    """What went out of some articles, range by range of subscribers."""

    async def among(self, first: int, last: int, *, planning: bool = True) -> Coverage:
        """Returns what subscribers from `first` to `last` have, or are about to get; no `planning`: without a mark."""


class ReaderStore(Protocol):
    """A newsletter's readers and what they have."""

    async def clocks(self, newsletter: str, cadence: str, zone: str) -> list[tuple[str, str]]:
        """Returns the rhythms and zones there are among readers."""

    async def page(
        self,
        newsletter: str,
        cadence: str,
        zone: str,
        *,
        after: int = 0,
        limit: int = 20_000,
        clock: tuple[str, str] | None = None,
        address_key: str | None = None,
        segments: Sequence[str] = (),
    ) -> list[Reader]:
        """Returns at most `limit` confirmed readers by number from `after` on, who are in all of these segments."""

    async def addresses(self, numbers: Iterable[int]) -> dict[int, str]:
        """Returns the addresses of subscribers by number; who is no more is not in it."""

    async def count(self, newsletter: str, cadence: str, zone: str, *, clock: tuple[str, str] | None = None) -> int:
        """Returns how many confirmed readers there are, of all rhythms and zones or of one."""

    async def newsletters(self) -> Mapping[str, int]:
        """Returns the newsletters that people have, and how many: also those that config lacks."""

    async def coverage(
        self, articles: Iterable[int], first: int, last: int, *, sandbox: bool, planning: bool = True
    ) -> Coverage:
        """Returns what subscribers from `first` to `last` have of these articles; no `planning`: without a mark."""

    def history(self, articles: Iterable[int], *, sandbox: bool) -> History:
        """Returns what went out of these articles, to be asked range by range."""

    def audience(
        self,
        newsletter: str,
        cadence: str,
        zone: str,
        *,
        clock: tuple[str, str] | None,
        licensed_at: datetime | None,
        turns: Sequence[datetime],
        moments: Sequence[datetime],
        segments: Sequence[str] = (),
    ) -> ReaderGroups:
        """Returns the readers in all of these segments, of one clock or of all, by what can make a difference.

        `licensed_at`: the moment whose licences count; None: none do. Who confirmed between two of the `turns`, the
        first of them included, is alike; for whom stories are pending since a moment of their own, between `moments`.
        """


class ForesightStore(Protocol):
    """The ledger of days that are only played."""

    async def arrive(self, now: datetime) -> None:
        """Has every mail arrived that may go; what is held waits."""

    async def marks(self) -> tuple[int, int]:
        """Returns the highest numbers of slots and issues there are."""

    async def turns(self, after: tuple[int, int], also: Collection[int]) -> list[Turn]:
        """Returns what became of the slots and stories after these marks, and of the slots `also`, in their order."""


class ReadingStore(Protocol):
    """What issues brought their readers."""

    async def brought(self, issue: int, subscriber: int) -> Brought | None:
        """Returns a digest's stories as one reader got them, and who that is; None: they did not get it."""


class FeedReaders(Protocol):
    """Who reads private feeds, and what they may read."""

    async def by_feed_token_hash(self, token_hash: str, now: datetime) -> FeedReader | None:
        """Returns whose feed token it is, or was; None when it never was one."""

    async def licences(self, subscriber: int) -> tuple[Licence, ...]:
        """Returns the licences of one subscriber."""
