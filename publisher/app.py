"""The composition root: opens every edge of one publication, and closes it again.

The one module that knows which edge serves which port; nothing below it ever
sees the settings.
"""

import hashlib
import os
import secrets
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from publisher import config, starter
from publisher.clock import SystemClock
from publisher.content import Rules, parse
from publisher.content.assets import asset_path as asset_path_of
from publisher.disk import Disk
from publisher.editorial.access import settled
from publisher.engines.local import LocalEngine
from publisher.engines.postgresql import CONNECTIONS, PostgresqlEngine
from publisher.errors import ConfigError, StoreError, UsageError
from publisher.mail.message import Sender
from publisher.mail.reports import LARGEST
from publisher.mail.tokens import Links, ReturnPath, Tokens
from publisher.model.catalogue import Catalogue
from publisher.model.delivery import Boot, Living, Policy, Route, Stop, Window
from publisher.model.segment import AllOf, Picked
from publisher.output import Output
from publisher.owner import home, host, key_id, place, secret_key
from publisher.parsing import Parsing, one_by_one
from publisher.ports import Clock, Engine
from publisher.rendering.templates import Templates
from publisher.services.account import Account
from publisher.services.announce import Announcing
from publisher.services.archive import Archive
from publisher.services.bounces import Bounces
from publisher.services.choose import Choosing
from publisher.services.circulation import Circulation
from publisher.services.custody import Custody
from publisher.services.deliver import Delivering
from publisher.services.desk import Desk
from publisher.services.doorbell import Doorbell
from publisher.services.draft import Drafting
from publisher.services.explain import Explaining
from publisher.services.golive import GoingLive
from publisher.services.housekeeping import Housekeeping
from publisher.services.intake import House, Intake, Rehearsal
from publisher.services.introduce import Introducing
from publisher.services.letters import Letters
from publisher.services.moving import Moving
from publisher.services.plan import Planning
from publisher.services.preflight import Preflight
from publisher.services.preview import Previewing
from publisher.services.private import PrivateFeeds
from publisher.services.proofs import Proofs
from publisher.services.publish import Publishing
from publisher.services.reading import ReadingRoom
from publisher.services.revise import Revising
from publisher.services.simulate import Simulating, Watched
from publisher.services.subscribe import Subscribing
from publisher.services.timekeeping import Timekeeping
from publisher.services.upcoming import Upcoming
from publisher.services.ways import Way
from publisher.services.websub import Announcer
from publisher.services.wire import Wire
from publisher.settings import (
    BouncesSettings,
    DeliverySettings,
    DkimSettings,
    RelaySettings,
    Settings,
    SmtpSettings,
)
from publisher.sources.companions import FolderCompanions
from publisher.sources.mark import Mark
from publisher.sources.scan import Directory
from publisher.stores import bounces
from publisher.stores.account_links import AccountLinks
from publisher.stores.announcements import Announcements
from publisher.stores.archive import PastIssues
from publisher.stores.articles import Articles
from publisher.stores.choices import ReaderChoices
from publisher.stores.compaction import Compaction
from publisher.stores.copies import copied
from publisher.stores.database import Database
from publisher.stores.deliveries import Deliveries
from publisher.stores.edition import Edition
from publisher.stores.facts import Facts
from publisher.stores.feed_archives import FeedArchiveRows
from publisher.stores.foresight import Foresight
from publisher.stores.issues import Issues
from publisher.stores.migrate import upgrade
from publisher.stores.moments import Moments
from publisher.stores.moves import Moves
from publisher.stores.nodes import IssuesAhead, Nodes
from publisher.stores.notices import Notices
from publisher.stores.people import People
from publisher.stores.readers import Readers
from publisher.stores.readings import Readings
from publisher.stores.records import Records
from publisher.stores.revisions import Revisions
from publisher.stores.signups import SignUps
from publisher.stores.stops import Stops
from publisher.stores.traces import Traces
from publisher.transports.hubs import HubCaller
from publisher.transports.inbox import Inbox
from publisher.transports.mailbox import ImapMailbox, MailboxAccount
from publisher.transports.probe import RelayProbe
from publisher.transports.sandbox import SandboxTransport
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport

if TYPE_CHECKING:
    from publisher.mail.dkim import Record, Signer
    from publisher.probes.names import NameServers
    from publisher.services.doctor import Doctor, Premises


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One publication with all its edges open."""

    folder: Path
    state: Path
    """`var/`: what must be kept."""
    settings: Settings
    catalogue: Catalogue
    clock: Clock
    timekeeping: Timekeeping
    database: Database
    facts: Facts
    articles: Articles
    people: People
    issues: Issues
    copied: bool
    """Whether this is a copy of a publication that nobody has said should mail."""
    node: "Node | None"
    """This process among those that share the database; None: it is the only one."""
    readers: Readers
    deliveries: Deliveries
    inbox: Inbox
    """What the sandbox caught."""
    engine: Engine
    doorbell: Doorbell
    templates: Templates
    tokens: Tokens
    links: Links
    articles_root: Path
    companions: FolderCompanions
    publishing: Publishing
    rehearsal: Intake
    """The way in for `check`: it keeps nothing."""
    preflight: Preflight
    """What `check` says beyond what is refused; it sees each file that the rehearsal reads."""
    private_feeds: PrivateFeeds
    reading_room: ReadingRoom
    subscribing: Subscribing
    account: Account
    moving: Moving
    housekeeping: Housekeeping
    circulation: Circulation
    choosing: Choosing
    upcoming: Upcoming
    drafting: Drafting
    announcing: Announcing
    planning: Planning
    previewing: Previewing
    explaining: Explaining
    proofs: Proofs
    letters: Letters
    delivering: Delivering
    bounces: Bounces
    report_mailbox: ImapMailbox | None
    """None: reports come in by no mailbox."""
    going_live: GoingLive
    announcer: Announcer
    """Who tells hubs of changed feeds."""
    key_id: str
    """What tells this publication from others to who asks from outside; it tells no secret."""
    epoch: datetime
    """When the publication began."""

    def doctor(self, *, nameserver: str = "", live: bool = False) -> "Doctor":
        """Returns who looks at the installation; `live`: as it would be without the sandbox."""
        from publisher.probes.website import Website
        from publisher.services.doctor import Doctor, Doorway

        settings = self.settings
        return Doctor(
            premises=_premises(settings, self.key_id, live=live),
            record=partial(_dkim_record, settings.dkim, self.folder),
            names=_name_servers(nameserver),
            web=Website(),
            relays=[
                Doorway(
                    table="smtp" if name == "smtp" else f"relays.{name}",
                    address=server.address,
                    encrypted=server.security != "none",
                    probe=RelayProbe(_relay(server), Patience.scaled(min(server.timeout, 15.0))),
                )
                for name, server in _servers(settings).items()
            ],
            mailbox=self.report_mailbox,
            disk=Disk(self.state),
            remembered=self.issues.last_planned_at,
        )


@dataclass(frozen=True, slots=True)
class Node:
    """One of several processes that share a database, each with a folder of its own."""

    nodes: Nodes
    boot: Boot
    home: str
    custody: Custody
    """Whether this node takes the articles folder in."""

    async def beat(self, now: datetime) -> None:
        """Says that this process lives: nodes that join know by it that the database is the one that is at work."""
        await self.nodes.beat(self.boot, self.home, now)

    async def others(self, now: datetime) -> tuple[Living, ...]:
        """Returns the processes that live at present, this one too."""
        return await self.nodes.living(now)


class _Copy:
    """What keeps a copy of a publication from mailing its readers a second time."""

    def stop(self) -> Stop:
        """Returns the stop."""
        return Stop(
            code="copy",
            reason="this is a copy of a publication, or a restored one: it mails nobody until you have said "
            "publisher migrate --confirm-copy and started it again (a node that joins others needs one that runs)",
        )


@asynccontextmanager
async def open_app(
    folder: Path,
    clock: Clock | None = None,
    *,
    accept_key: bool = False,
    confirm_copy: bool = False,
    patient: bool = False,
) -> AsyncIterator[App]:
    """Opens the publication in `folder`, its database up to date, and closes it at the end.

    Raises ConfigError for a folder that is none, or whose config cannot be used. `accept_key`: go on with a
    secret that is not the one the database was used with. `confirm_copy`: from now on this copy is the publication.
    `patient`: a new folder waits a while for the nodes that it joins, which may just be starting.
    """
    settings = config.load(folder)
    state = state_folder(folder)
    _require_extra(settings.database.url)
    # The engine has its own: what is set is for all of a process.
    database = Database.open(settings.database.url, folder, connections=settings.database.connections - CONNECTIONS)
    try:
        await upgrade(database)
        nodes = Nodes(database)
        here = home(state, database.path, await nodes.server())
        copied = await _is_copy(Facts(database), nodes, here, confirm=confirm_copy, patient=patient)
        machine = SystemClock()
        timekeeping = Timekeeping(machine, Moments(database))
        await timekeeping.begin()
        yield await _compose(
            folder,
            state,
            settings,
            clock or machine,
            timekeeping,
            database,
            home=here,
            accept_key=accept_key,
            copied=copied,
        )
    finally:
        await database.close()


async def _compose(
    folder: Path,
    state: Path,
    settings: Settings,
    clock: Clock,
    timekeeping: Timekeeping,
    database: Database,
    *,
    home: str,
    accept_key: bool,
    copied: bool,
) -> App:
    catalogue = settings.catalogue()
    site = catalogue.site
    now = clock.now()
    facts = Facts(database)
    epoch = datetime.fromisoformat(await facts.settle("began_at", now.isoformat()))
    authority = await facts.settle("tag_authority", f"{urlsplit(site.url).hostname},{now:%Y-%m-%d}")
    key = await _secret(facts, state, accept=accept_key)
    tokens = Tokens(key)
    records = Records(database, tokens.address_hash)
    templates = Templates(starter.packaged_templates(), folder / "templates", catalogue)  # which may come later
    if subjects := templates.subject_problems():
        raise ConfigError([problem for error in subjects for problem in error.problems])
    asset_path = partial(asset_path_of, key)
    rules = _rules(settings, catalogue, asset_path)
    articles_root = folder / settings.articles.path
    source = Directory(articles_root)
    companions = FolderCompanions(
        pages=folder / "pages",
        static=[starter.packaged_static(), folder / "static"],
        articles=articles_root,
        parse=partial(parse, rules=rules),
        asset_path=asset_path,
    )
    house = House(
        site=site,
        folder=settings.articles.path,
        permalink=settings.articles.permalink,
        withdraw=settings.articles.on_delete == "withdraw",
        missing_grace=timedelta(seconds=settings.articles.delete_grace),
    )
    as_configured = partial(settled, catalogue=catalogue)
    articles = Articles(database, as_configured)
    boot = _boot(folder, now)
    node = _node(database, facts, boot, home, source, articles_root)
    shown_by = home if node else ""
    stored = Articles(database, home=shown_by, edition=Edition(database) if node else None)
    people, issues, readers = (
        People(database),
        Issues(database, sandbox=settings.smtp.sandbox),
        Readers(database, partial(_pick, catalogue, clock)),
    )
    moving = Moving(
        site=site,
        people=people,
        moves=Moves(database, tokens.feed_hash),
        outbox=issues,
        renderer=templates,
        tokens=tokens,
    )
    deliveries = Deliveries(database, tokens.address_hash, sandbox=settings.smtp.sandbox)
    links = Links(site.url, tokens, settings.smtp.unsubscribe_mailto)
    inbox = Inbox(state / "inbox")
    return_path = ReturnPath(settings.smtp.return_path, tokens)
    letters = Letters(catalogue, settings.smtp.sender, links, key, _signer(settings.dkim, folder), return_path)
    engine, disk = _engine(settings.database.url, embedded=database.embedded), Disk(state)
    drafting = Drafting(catalogue=catalogue, articles=articles, versions=articles, issues=issues, renderer=templates)
    planning = Planning(
        catalogue=catalogue,
        issues=issues,
        readers=readers,
        articles=articles,
        drafting=drafting,
        sandbox=settings.smtp.sandbox,
        restored=copied,
    )
    announcing = Announcing(
        Desk(
            catalogue=catalogue,
            notices=Notices(database, sandbox=settings.smtp.sandbox, pick=partial(_pick, catalogue, clock)),
            issues=issues,
            articles=articles,
            versions=stored,
            renderer=templates,
            sandbox=settings.smtp.sandbox,
            restored=copied,
        )
    )
    choosing = Choosing(catalogue, ReaderChoices(database))
    publishing = Publishing(
        intake=Intake(source, stored, Parsing(rules).of, house),
        articles=articles,
        facts=facts,
        outputs=stored,
        output=Output(folder / "public"),
        beside=Output(folder),
        companions=companions,
        renderer=templates,
        catalogue=catalogue,
        archive=Archive(PastIssues(database, sandbox=settings.smtp.sandbox), catalogue),
        feed_archives=FeedArchiveRows(database),
        authority=authority,
        epoch=epoch,
        setting=_setting(settings),
        custody=node.custody if node else None,
        home=shown_by,
    )
    preflight = Preflight(
        parse=partial(parse, rules=rules),
        catalogue=catalogue,
        companions=companions,
        source=source,
        folder=settings.articles.path,
        clock=clock.now,
        sandbox=settings.smtp.sandbox,
    )
    return App(
        folder=folder,
        state=state,
        settings=settings,
        catalogue=catalogue,
        clock=clock,
        timekeeping=timekeeping,
        database=database,
        facts=facts,
        articles=articles,
        people=people,
        issues=issues,
        copied=copied,
        node=node,
        readers=readers,
        deliveries=deliveries,
        inbox=inbox,
        engine=engine,
        doorbell=Doorbell(IssuesAhead(database, sandbox=settings.smtp.sandbox), engine),
        templates=templates,
        tokens=tokens,
        links=links,
        articles_root=articles_root,
        companions=companions,
        publishing=publishing,
        rehearsal=Intake(source, Rehearsal(stored), one_by_one(preflight.read), house),
        preflight=preflight,
        private_feeds=PrivateFeeds(publishing, people, links, Wire(publishing, articles)),
        reading_room=ReadingRoom(
            catalogue=catalogue,
            issues=issues,
            readings=Readings(database),
            articles=articles,
            planning=planning,
            drafting=drafting,
            tokens=tokens,
        ),
        subscribing=Subscribing(
            catalogue=catalogue,
            people=people,
            outbox=issues,
            renderer=templates,
            tokens=tokens,
            links=links,
            choosing=choosing,
            introducing=Introducing(
                planning=planning, drafting=drafting, issues=issues, readers=readers, articles=articles
            ),
        ),
        account=Account(
            people=people,
            account_links=AccountLinks(database),
            records=records,
            moving=moving,
            outbox=issues,
            renderer=templates,
            tokens=tokens,
            links=links,
        ),
        moving=moving,
        housekeeping=Housekeeping(
            catalogue=catalogue,
            people=people,
            signups=SignUps(database),
            compaction=Compaction(database),
            outbox=issues,
            renderer=templates,
            tokens=tokens,
        ),
        circulation=Circulation(
            catalogue=catalogue,
            people=people,
            outbox=issues,
            renderer=templates,
            tokens=tokens,
            links=links,
            choosing=choosing,
            records=records,
        ),
        choosing=choosing,
        upcoming=Upcoming(planning, drafting, readers, sandbox=settings.smtp.sandbox),
        drafting=drafting,
        announcing=announcing,
        planning=planning,
        explaining=Explaining(
            catalogue=catalogue,
            folder=settings.articles.path,
            stories=articles,
            files=stored,
            issues=issues,
            traces=Traces(database),
            people=people,
            readers=readers,
            planning=planning,
            drafting=drafting,
            tokens=tokens,
            sandbox=settings.smtp.sandbox,
        ),
        previewing=Previewing(
            planning=planning,
            announcing=announcing,
            drafting=drafting,
            issues=issues,
            readers=readers,
            articles=articles,
            sandbox=settings.smtp.sandbox,
        ),
        proofs=Proofs(letters=letters, people=people, language=site.language, clock=clock),
        letters=letters,
        delivering=Delivering(
            deliveries=deliveries,
            ways=_ways(settings, inbox),
            letters=letters,
            engine=engine,
            clock=clock,
            keep_time=timekeeping.look,
            boot=boot,
            revise=Revising(
                planning=planning,
                drafting=drafting,
                issues=issues,
                articles=articles,
                revisions=Revisions(database, sandbox=settings.smtp.sandbox),
                facts=facts,
                setting=_setting(settings),
            ).run,
            stops=Stops(database, sandbox=settings.smtp.sandbox),
            guards=[disk, *([_Copy()] if copied and not settings.smtp.sandbox else [])],
            reserve=disk,
        ),
        bounces=Bounces(bounces.Bounces(database, tokens.address_hash), facts, tokens, key),
        report_mailbox=_report_mailbox(settings.bounces),
        announcer=Announcer(site, Announcements(database, shown_by), facts, HubCaller(), clock),
        going_live=GoingLive(
            facts=facts,
            people=people,
            letters=letters,
            renderer=templates,
            relays=lambda: {name: _transport(server, 1) for name, server in _servers(settings).items()},
            language=site.language,
            way=" ".join(
                [*(f"{each.security} {each.address}" for each in _servers(settings).values()), settings.smtp.sender]
            ),
            code=lambda: f"{secrets.randbelow(1_000_000):06}",
        ),
        key_id=key_id(key),
        epoch=epoch,
    )


@asynccontextmanager
async def simulation(app: App) -> AsyncIterator[Simulating]:
    """Gives the days to come of a publication, to be played on a copy of its state that is deleted at the end."""
    with TemporaryDirectory(prefix="simulate-", dir=app.state) as folder:
        database = await copied(app.database, Path(folder))
        try:
            yield _simulating(app, database)
        finally:
            await database.close()


def _simulating(app: App, database: Database) -> Simulating:
    catalogue, sandbox = app.catalogue, app.settings.smtp.sandbox
    stored = Articles(database)
    articles = Articles(database, partial(settled, catalogue=catalogue))
    picking = partial(_pick, catalogue, app.clock)
    issues, readers = Issues(database, sandbox=sandbox), Readers(database, picking)
    watched = Watched(catalogue=catalogue, articles=articles, versions=articles, issues=issues, renderer=app.templates)
    return Simulating(
        planning=Planning(
            catalogue=catalogue,
            issues=issues,
            readers=readers,
            articles=articles,
            drafting=watched,
            sandbox=sandbox,
            restored=app.copied,
        ),
        announcing=Announcing(
            Desk(
                catalogue=catalogue,
                notices=Notices(database, sandbox=sandbox, pick=picking),
                issues=issues,
                articles=articles,
                versions=stored,
                renderer=app.templates,
                sandbox=sandbox,
                restored=app.copied,
            )
        ),
        choosing=Choosing(catalogue, ReaderChoices(database)),
        watched=watched,
        intake=app.publishing.intake.elsewhere(stored),
        facts=Facts(database),
        issues=issues,
        readers=readers,
        articles=articles,
        foresight=Foresight(database, sandbox=sandbox),
    )


def _premises(settings: Settings, proof: str, *, live: bool) -> "Premises":
    from publisher.services.doctor import Premises

    smtp = settings.smtp
    senders = dict.fromkeys([smtp.sender, *(n.sender for n in settings.newsletters if n.sender)])
    untouched = SmtpSettings()
    return Premises(
        url=settings.site.url,
        senders=tuple(map(Sender.parse, senders)),
        return_path=smtp.return_path,
        contact=settings.site.contact,
        postal_address=settings.site.postal_address,
        sandbox=smtp.sandbox and not live,
        relay_is_named=(smtp.host, smtp.port) != (untouched.host, untouched.port),
        signed=settings.dkim is not None,
        proof=proof,
    )


def _dkim_record(dkim: DkimSettings | None, folder: Path) -> "Record | None":
    signer = _signer(dkim, folder)
    if dkim is None or signer is None:
        return None
    from publisher.mail.dkim import record

    return record(dkim.domain, dkim.selector, signer.key)


def _name_servers(server: str) -> "NameServers":
    """Returns the machine's name servers, or the one that `ADDRESS` or `ADDRESS#PORT` names."""
    from publisher.probes.names import NameServers

    if not server:
        return NameServers()
    address, _, port = server.partition("#")
    try:
        return NameServers([str(ip_address(address))], int(port or 53))
    except ValueError as error:
        raise UsageError(f"{server!r} is no name server: an address such as 9.9.9.9 is needed") from error


def _pick(catalogue: Catalogue, clock: Clock, segments: Sequence[str]) -> Picked | None:
    """Returns who is in all of these segments now."""
    conditions = tuple(catalogue.segments[each].condition for each in segments)
    return Picked(AllOf(conditions), catalogue.site.timezone, clock.now()) if conditions else None


def state_folder(folder: Path) -> Path:
    """Returns the publication's `var/`, made if need be; ConfigError where it cannot be used."""
    state = folder / "var"
    try:
        state.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"{state}: cannot be used as the folder of the state: {error.strerror}"]) from error
    return state


async def _is_copy(facts: Facts, nodes: Nodes, here: str, *, confirm: bool, patient: bool) -> bool:
    """Returns whether the state was brought here from somewhere else, and nobody has said that this is right.

    A node that joins others is no copy: it sees one of them live, in this database and no other.
    """
    known = (await facts.settle("homes", here)).split()
    if here in known:
        return False
    if confirm or await nodes.is_at_work(known, patient=patient):
        await facts.put("homes", " ".join([*known, here]))
        return False
    return True


def _node(
    database: Database, facts: Facts, boot: Boot, home: str, source: Directory, articles_root: Path
) -> "Node | None":
    if database.embedded:
        return None
    nodes = Nodes(database)
    mark = Mark(articles_root, place)
    return Node(nodes, boot, home, Custody(facts, nodes, mark, source, home))


def _engine(url: str, *, embedded: bool) -> Engine:
    """Returns how processes wake each other."""
    if embedded:
        return LocalEngine()
    return PostgresqlEngine(url)


def _require_extra(url: str) -> None:
    """Raises a ConfigError where the database is PostgreSQL and what it needs is not installed."""
    needed = () if url.startswith("sqlite:") else ("psycopg", "procrastinate")
    if any(find_spec(name) is None for name in needed):
        raise ConfigError(
            ["database.url: PostgreSQL needs an extra; install it with: pip install 'publisher[postgres]'"]
        )


async def _secret(facts: Facts, state: Path, *, accept: bool) -> bytes:
    """Returns the secret that every link is derived from, after a look whether it is the one that was."""
    key = secret_key(state)
    known = await facts.settle("key_id", key_id(key))
    if known == key_id(key):
        return key
    if not accept:
        raise StoreError(
            f"{state / 'secret.key'} is not the key that this database was used with: restore it from your backup. "
            "If it is lost, every link and feed address sent so far is void, and erased people are no longer known; "
            "go on with: publisher migrate --accept-new-key"
        )
    await facts.put("key_id", key_id(key))
    return key


def _rules(settings: Settings, catalogue: Catalogue, asset_path: "partial[str]") -> Rules:
    return Rules(
        timezone=ZoneInfo(catalogue.site.timezone),
        language=catalogue.site.language,
        languages=catalogue.site.languages,
        site_url=catalogue.site.url,
        asset_path=asset_path,
        sections=catalogue.sections,
        products=frozenset(catalogue.products),
        default_access=catalogue.default_access,
        permalink=settings.articles.permalink,
    )


def _signer(dkim: DkimSettings | None, folder: Path) -> "Signer | None":
    """Returns who signs mail; cryptography is loaded only where somebody does."""
    if dkim is None:
        return None
    from publisher.signing import signer

    return signer(dkim, folder)


def _ways(settings: Settings, inbox: Inbox) -> list[Way]:
    """Returns the ways out, that of [smtp] first; in the sandbox there is none, whatever else the settings say."""
    smtp, delivery, timezone = settings.smtp, settings.delivery, settings.site.timezone
    policy = _policy(delivery, timezone)
    if smtp.sandbox:
        return [Way(relay="sandbox", transport=SandboxTransport(inbox, delivery.connections), policy=policy)]
    elsewhere = _elsewhere(settings)
    first = Route(name="smtp" if elsewhere else "", newsletters=frozenset().union(*elsewhere.values()))
    ways = [Way(relay=smtp.address, transport=_transport(smtp, policy.connections), policy=policy, route=first)]
    for name, newsletters in elsewhere.items():
        relay = settings.relays[name]
        pace = _pace(relay, policy, timezone)
        route = Route(name=name, newsletters=newsletters, others=False)
        transport = _transport(relay, pace.connections)
        ways.append(Way(relay=f"{name}={relay.address}", transport=transport, policy=pace, route=route))
    return ways


def _servers(settings: Settings) -> "dict[str, SmtpSettings | RelaySettings]":
    """Returns the relays in use by name, that of [smtp] first."""
    return {"smtp": settings.smtp, **{name: settings.relays[name] for name in _elsewhere(settings)}}


def _elsewhere(settings: Settings) -> dict[str, frozenset[str]]:
    """Returns which newsletters go by which relay but that of [smtp]; one that no newsletter names is not used."""
    named = {name: frozenset(n.id for n in settings.newsletters if n.relay == name) for name in settings.relays}
    return {name: newsletters for name, newsletters in named.items() if newsletters}


def _pace(relay: RelaySettings, policy: Policy, timezone: str) -> Policy:
    """Returns the policy with what a relay says of its own pace."""
    own = {key: getattr(relay, key) for key in ("connections", "rate", "per_domain")}
    window = policy.window if relay.window is None else _window(relay.window, timezone)
    return replace(policy, window=window, **{key: value for key, value in own.items() if value is not None})


def _transport(server: "SmtpSettings | RelaySettings", connections: int) -> SmtpTransport:
    return SmtpTransport(_relay(server), connections, Patience.scaled(server.timeout))


def _relay(smtp: "SmtpSettings | RelaySettings") -> Relay:
    return Relay(
        host=smtp.host,
        port=smtp.port,
        security=smtp.security,
        username=smtp.username,
        password=smtp.password.get_secret_value(),
        hostname=smtp.hostname,
        pipelining=smtp.pipelining == "auto",
    )


def _report_mailbox(settings: BouncesSettings) -> ImapMailbox | None:
    if not settings.host:
        return None
    return ImapMailbox(
        MailboxAccount(
            host=settings.host,
            port=settings.port,
            security=settings.security,
            username=settings.username,
            password=settings.password.get_secret_value(),
            folder=settings.folder,
            largest=LARGEST,
        )
    )


def _policy(delivery: DeliverySettings, timezone: str) -> Policy:
    return Policy(
        connections=delivery.connections,
        rate=delivery.rate,
        per_domain=delivery.per_domain,
        resend_uncertain=delivery.on_uncertain == "resend",
        resend_after=timedelta(seconds=delivery.resend_after),
        lease=timedelta(seconds=delivery.lease),
        max_age=timedelta(seconds=delivery.max_age),
        retry_after=timedelta(seconds=delivery.retry_after),
        relay_pause=timedelta(seconds=delivery.relay_pause),
        window=_window(delivery.window, timezone),
    )


def _window(hours: tuple[time, time] | Literal[""] | None, timezone: str) -> Window | None:
    return Window(begins=hours[0], ends=hours[1], timezone=timezone) if hours else None


def _boot(folder: Path, now: datetime) -> Boot:
    """Returns this process's identity: random, so that no other life of it can be taken for it."""
    return Boot(id=str(uuid.uuid4()), folder=str(folder), host=host(), pid=os.getpid(), started_at=now)


def _setting(settings: Settings) -> str:
    """Returns a hash of all in config that pages and feeds may depend on; no secret and no mail setting is among it."""
    told = settings.model_dump_json(
        include={"site", "articles", "sections", "products", "feeds", "websub", "newsletters", "theme"}
    )
    return hashlib.sha256(told.encode()).hexdigest()
