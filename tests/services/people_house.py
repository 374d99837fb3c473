"""A publication with people and no stories, over a real store."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from publisher.mail.addresses import parse_address
from publisher.mail.tokens import Links, Tokens
from publisher.model.article import Access
from publisher.model.catalogue import Audience, Catalogue, Newsletter, Product, Site
from publisher.model.issue import Edition, MailText
from publisher.model.text import Localized
from publisher.services.choose import Choosing
from publisher.services.circulation import Circulation
from publisher.services.importing import ImportReport, Instructions
from publisher.services.roster import Roster
from publisher.services.subscribe import Subscribing, Visit
from publisher.stores.choices import ReaderChoices
from publisher.stores.database import Database
from publisher.stores.people import People
from publisher.stores.records import Records
from publisher.stores.schema import metadata

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
VISIT = Visit(network="192.0.2.0/24", user_agent="Browser/1.0")


def newsletter(name: str, **changes: Any) -> Newsletter:
    title = Localized.of({"en": name.title(), "tr": f"{name} bülteni"})
    return Newsletter(id=name, title=title, **changes)


NEWSLETTERS = [
    newsletter("daily", audience=Audience.SUBSCRIBERS),
    newsletter("asia", audience=Audience.SUBSCRIBERS, products=("asia",)),
    newsletter("weekly", schedule="weekly fri 16:00"),
    newsletter("alerts", audience=Audience.SUBSCRIBERS, schedule="instant"),
    newsletter("desk", audience=Audience.SUBSCRIBERS, open=False, products=("business",)),
]
CATALOGUE = Catalogue(
    site=Site(title="News", url="https://news.example.org", languages=("en", "tr"), timezone="Europe/Istanbul"),
    sections={},
    products={name: Product(id=name, title=Localized.of(name)) for name in ("asia", "business")},
    newsletters={n.id: n for n in NEWSLETTERS},
    default_access=Access.SUMMARY,
)


@dataclass
class Post:
    """Takes service mail and remembers it by event, as the real outbox does."""

    mails: dict[str, tuple[int, str, MailText]] = field(default_factory=dict)
    fails: bool = False

    async def post(self, event: str, subscriber: int, language: str, mail: MailText, now: datetime) -> bool:
        if self.fails:
            raise OSError("the machine is gone")
        return self.mails.setdefault(event, (subscriber, language, mail))[2] is mail

    @property
    def events(self) -> list[str]:
        return [event.partition(":")[0] for event in self.mails]


class Plain:
    """A renderer whose mails say what they were given."""

    def page(self, name: str, language: str, **context: Any) -> str:
        return f"{name} {language} {context}"

    def mail(self, edition: Edition) -> MailText:
        raise NotImplementedError

    def message(self, kind: str, language: str, **context: Any) -> MailText:
        return MailText(subject=kind, preheader="", html="", text=f"{language} {context}")

    def fingerprint(self) -> str:
        return ""


@dataclass
class House:
    """Everything that a test of the service needs."""

    database: Database
    people: People
    post: Post
    tokens: Tokens
    choosing: Choosing
    subscribing: Subscribing
    circulation: Circulation

    async def dump(self) -> str:
        async with self.database.read() as connection:
            return repr([(await connection.execute(sa.select(table))).all() for table in metadata.sorted_tables])

    def confirm_token(self) -> str:
        """The token of the latest confirmation mail."""
        events = [event for event in self.post.mails if event.startswith("signup:")]
        return self.tokens.confirm(int(events[-1].partition(":")[2]))

    async def sign_up(self, address: str, *newsletters: str, now: datetime = NOW, visit: Visit = VISIT) -> None:
        await self.subscribing.sign_up(parse_address(address), newsletters, "en", visit, now)

    async def import_csv(self, lines: Iterable[str], source: str, now: datetime, **said: Any) -> ImportReport:
        roster = Roster(lines, said.pop("mapping", None))
        return await self.circulation.import_people(roster, Instructions(source=source, **said), now)

    async def number(self, address: str) -> int:
        return (await self.circulation.show(address)).person.subscriber.number

    async def statuses(self, address: str) -> dict[str, str]:
        person = (await self.circulation.show(address)).person
        return {s.newsletter: s.status.value for s in person.subscriptions}

    async def products(self, address: str) -> list[str]:
        person = (await self.circulation.show(address)).person
        return [licence.product for licence in person.licences if licence.active]


def open_house(database: Database, catalogue: Catalogue = CATALOGUE) -> House:
    """Returns a house over an empty store."""
    people, post, tokens = People(database), Post(), Tokens(bytes(32))
    edges: Any = {
        "catalogue": catalogue,
        "people": people,
        "outbox": post,
        "renderer": Plain(),
        "tokens": tokens,
        "links": Links(catalogue.site.url, tokens),
        "choosing": Choosing(catalogue, ReaderChoices(database)),
    }
    circulation = Circulation(**edges, records=Records(database, tokens.address_hash))
    return House(database, people, post, tokens, edges["choosing"], Subscribing(**edges), circulation)
