"""A publication that people come to, choose from and leave, over a real store: what tests of its pages share."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from selectolax.lexbor import LexborHTMLParser
from starlette.applications import Starlette

from publisher.errors import UnreachableError
from publisher.mail.tokens import Links, Tokens
from publisher.model.article import Access
from publisher.model.catalogue import Audience, Catalogue, Newsletter, Site
from publisher.model.issue import MailText
from publisher.model.text import Localized
from publisher.rendering.templates import Templates
from publisher.services.account import Account
from publisher.services.choose import Choosing
from publisher.services.circulation import Circulation
from publisher.services.housekeeping import Housekeeping
from publisher.services.moving import Moving
from publisher.services.subscribe import Subscribing
from publisher.stores.account_links import AccountLinks
from publisher.stores.choices import ReaderChoices
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database
from publisher.stores.moves import Moves
from publisher.stores.people import People
from publisher.stores.records import Records
from publisher.stores.schema import metadata
from publisher.stores.signups import SignUps
from publisher.web.subscriptions import routes

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SITE = "https://news.example.org"
EMBEDDING = "https://shop.example"
"""Another site, with a sign-up form of ours."""
TEMPLATES = Path(__file__).parents[2] / "templates"
ONE_CLICK = [("List-Unsubscribe", "One-Click")]
PREFERENCES = [("form", "preferences")]


def newsletter(name: str, **changes: Any) -> Newsletter:
    return Newsletter(id=name, title=Localized.of({"en": f"The {name}", "tr": f"{name} bülteni"}), **changes)


NEWSLETTERS = [
    newsletter("daily", audience=Audience.SUBSCRIBERS),
    newsletter("weekly", schedule="weekly fri 16:00"),
    newsletter("desk", audience=Audience.SUBSCRIBERS, open=False),
]
CATALOGUE = Catalogue(
    site=Site(title="Example News", url=SITE, languages=("en", "tr"), gated=True, contact="mailto:x@example.org"),
    sections={},
    products={},
    newsletters={n.id: n for n in NEWSLETTERS},
    default_access=Access.SUMMARY,
)


@dataclass
class Clock:
    """Stands still until it is moved."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


@dataclass
class Post:
    """Remembers service mail by event."""

    mails: dict[str, tuple[int, str, MailText]] = field(default_factory=dict)
    away: int = 0
    """How many times more the database does not answer."""

    async def post(self, event: str, subscriber: int, language: str, mail: MailText, now: datetime) -> bool:
        if self.away:
            self.away -= 1
            raise UnreachableError("the database does not answer: database is locked")
        return self.mails.setdefault(event, (subscriber, language, mail))[2] is mail


class Nothing:
    """Nobody's next issue, and no past ones: planning and the archive have tests of their own."""

    def latest(self, newsletter: str) -> list[object]:
        return []

    async def of(self, *_: object) -> list[object]:
        return []


@dataclass
class House:
    """The application with everything behind it."""

    database: Database
    client_of: Callable[..., Any]
    rhythms: tuple[str, ...] = ()
    """What readers may choose of each newsletter."""
    clock: Clock = field(default_factory=Clock)
    post: Post = field(default_factory=Post)
    tokens: Tokens = field(default_factory=lambda: Tokens(bytes(32)))

    def __post_init__(self) -> None:
        self.people = People(self.database)
        self.links = Links(SITE, self.tokens)
        offered = {n.id: replace(n, rhythms=self.rhythms) for n in NEWSLETTERS}
        catalogue = replace(CATALOGUE, newsletters=offered)
        templates = Templates(TEMPLATES, None, catalogue)
        self.choosing = Choosing(catalogue, ReaderChoices(self.database))
        told: Any = {"people": self.people, "outbox": self.post, "renderer": templates, "tokens": self.tokens}
        edges = {**told, "catalogue": catalogue, "links": self.links, "choosing": self.choosing}
        records = Records(self.database, self.tokens.address_hash)
        self.subscribing, self.circulation = Subscribing(**edges), Circulation(**edges, records=records)
        self.housekeeping = Housekeeping(
            catalogue=catalogue, signups=SignUps(self.database), compaction=Compaction(self.database), **told
        )
        self.moving = Moving(site=catalogue.site, moves=Moves(self.database, self.tokens.feed_hash), **told)
        self.account = Account(
            account_links=AccountLinks(self.database),
            records=records,
            moving=self.moving,
            links=self.links,
            **told,
        )
        app: Any = SimpleNamespace(
            catalogue=catalogue,
            clock=self.clock,
            settings=SimpleNamespace(
                smtp=SimpleNamespace(sandbox=True), http=SimpleNamespace(form_origins=[EMBEDDING])
            ),
            publishing=SimpleNamespace(archive=Nothing()),
            subscribing=self.subscribing,
            choosing=self.choosing,
            upcoming=Nothing(),
            account=self.account,
            moving=self.moving,
            templates=templates,
            tokens=self.tokens,
        )
        self.app = Starlette(routes=routes(app))
        self.client = self.client_of(self.app)

    async def dump(self) -> str:
        async with self.database.read() as connection:
            return repr([(await connection.execute(sa.select(table))).all() for table in metadata.sorted_tables])

    async def add(self, *newsletters: str) -> int:
        added = await self.circulation.add("ada@example.org", NOW, confirmed=True, newsletters=newsletters)
        assert added.subscriber is not None
        return added.subscriber

    async def statuses(self, subscriber: int = 1) -> dict[str, str]:
        person = await self.people.person(subscriber)
        assert person is not None
        return {s.newsletter: s.status.value for s in person.subscriptions}

    async def sign_up(self, *newsletters: str, client: Any = None, headers: Any = None, **fields: str) -> Any:
        client = client or self.client
        token = await self.form_token()
        given = {"email": "ada@example.org", "form_token": token, **fields}
        return await client.post(
            "/subscribe", [*given.items(), *(("newsletter", name) for name in newsletters)], **(headers or {})
        )

    async def form_token(self) -> str:
        """Returns the token of a form that was shown as long ago as a person needs to fill it in."""
        now = self.clock.time
        self.clock.time = now - timedelta(seconds=10)
        page = await self.client.get("/subscribe")
        self.clock.time = now
        return form_of(page.text)["form_token"]

    def path_of(self, event: str) -> str:
        """Returns where the link of the latest mail of a kind leads."""
        kind, _, number = [key for key in self.post.mails if key.partition(":")[0] == event][-1].partition(":")
        match kind:
            case "account":
                url = self.links.account_url(int(number))
            case "move-old" | "move-new":
                url = self.links.move_url(int(number), new_end=kind == "move-new")
            case _:
                url = self.links.confirm_url(int(number))
        return url.removeprefix(SITE)

    def confirm_path(self) -> str:
        number = int(next(iter(self.post.mails)).partition(":")[2])
        return self.links.confirm_url(number).removeprefix(SITE)


def form_of(html: str) -> dict[str, str]:
    fields = LexborHTMLParser(html).css("form input[name], form button[name]")
    return {str(node.attributes["name"]): node.attributes.get("value") or "" for node in fields}


def action_of(html: str) -> str:
    node = LexborHTMLParser(html).css_first("form[method=post]")
    assert node is not None
    return str(node.attributes["action"])
