"""A small publication in a real SQLite file, with time as a parameter: what tests of planning share."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa

from publisher.editorial.access import settled
from publisher.model.article import Access, Article, Body
from publisher.model.catalogue import Audience, Catalogue, Filter, Newsletter, Product, Section, Site
from publisher.model.forecast import Turn
from publisher.model.issue import OPEN, DeliveryState, Edition, Issue, IssueState, MailText
from publisher.model.notice import NoticeText
from publisher.model.publication import Revision
from publisher.model.segment import AllOf, Picked
from publisher.model.text import Localized
from publisher.model.view import View
from publisher.services.announce import Announcing
from publisher.services.choose import Choosing
from publisher.services.desk import Desk
from publisher.services.draft import Drafting
from publisher.services.plan import Planning
from publisher.services.preview import Previewing
from publisher.services.revise import Revising
from publisher.services.simulate import Simulating, Watched
from publisher.stores.articles import Articles
from publisher.stores.choices import ReaderChoices
from publisher.stores.clocks import keep_clocks
from publisher.stores.copies import copied
from publisher.stores.database import Database, micros, moment
from publisher.stores.facts import Facts
from publisher.stores.foresight import Foresight
from publisher.stores.issues import Issues
from publisher.stores.notices import Notices
from publisher.stores.pace import Pace
from publisher.stores.readers import Readers
from publisher.stores.revisions import Revisions
from publisher.stores.schema import (
    cohorts,
    deliveries,
    issues,
    licences,
    slots,
    subscribers,
    subscriptions,
    suppressions,
    variant_stories,
    variants,
)

if TYPE_CHECKING:
    from publisher.services.intake import Intake


def at(text: str) -> datetime:
    """Returns a UTC moment such as `2026-10-19 08:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_MARKS = {
    "story": "",
    "updated": " updated",
    "corrected": " corrected",
    "already_sent": " already",
    "advisory": " withdrawn",
}


class PlainRenderer:
    """Lays a mail out as its titles, with the depth of each: enough to see who was told what."""

    def __init__(self) -> None:
        self.editions: list[Edition] = []

    def mail(self, edition: Edition) -> MailText:
        self.editions.append(edition)
        lines = [f"{edition.newsletter_title} {edition.number} {edition.local_date:%Y-%m-%d %H:%M}"]
        for group in edition.groups:
            lines.append(f"== {group.label}")
            lines += [f"{view.title} [{view.depth.value}]" for view in group.views]
        lines += [f"already: {view.title}" for view in edition.already_sent]
        lines += [f"gone: {view.title}" for view in edition.withdrawn]
        lines += [f"coming: {story.title} {story.date:%Y-%m-%d}" for story in edition.coming_up if story.date]
        subject = f"{'[TEST] ' if edition.test else ''}{edition.views[0].title}"
        return MailText(
            subject=subject, preheader="", html="<p>" + "</p><p>".join(lines) + "</p>", text="\n".join(lines)
        )

    def page(self, name: str, language: str, **context: object) -> str:
        raise NotImplementedError

    def message(self, kind: str, language: str, **context: object) -> MailText:
        notice, view = context.get("notice"), context.get("view")
        if isinstance(notice, NoticeText):
            lines = [notice.heading, notice.text, notice.reason, notice.about, *(note.text for note in notice.notes)]
            lines += _told(notice.story)
        else:
            assert isinstance(view, View)
            lines = [view.embargo_text, view.embargo_reason, *_told(view)]
        text = "\n".join(filter(None, lines))
        return MailText(subject=lines[0], preheader="", html=text, text=text)

    def fingerprint(self) -> str:
        return "plain"


def newsletter(name: str, schedule: str, **values: object) -> Newsletter:
    """Returns a newsletter of the test publication."""
    return Newsletter(
        id=name,
        title=Localized.of(name.title()),
        schedule=schedule,
        **{
            "audience": Audience.SUBSCRIBERS,
            "timezone": "Europe/Berlin",
            "grace_seconds": 0.0 if schedule == "instant" else 900.0,
            **values,
        },  # type: ignore[arg-type]
    )


def publication(*newsletters: Newsletter) -> Catalogue:
    """Returns a publication with two sections and a product for one of them."""
    return Catalogue(
        site=Site(title="Example", url="https://news.example.org", timezone="Europe/Berlin", languages=("en", "tr")),
        sections={
            name: Section(id=name, title=Localized.of({"en": name.title(), "tr": f"{name} (tr)"}))
            for name in ("asia", "economy")
        },
        products={
            "asia": Product(id="asia", title=Localized.of("Asia desk"), match=Filter(sections=("asia",))),
        },
        newsletters={one.id: one for one in newsletters},
        default_access=Access.SUMMARY,
    )


@dataclass(slots=True)
class World:
    """The publication, its stores and its planner."""

    database: Database
    catalogue: Catalogue
    sandbox: bool = True
    page: int = 20_000
    pace: Pace | None = None
    renderer: PlainRenderer = field(default_factory=PlainRenderer)
    names: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)

    @property
    def articles(self) -> Articles:
        return Articles(self.database, partial(settled, catalogue=self.catalogue))

    @property
    def issues(self) -> Issues:
        return Issues(self.database, sandbox=self.sandbox, pace=self.pace)

    @property
    def readers(self) -> Readers:
        return Readers(self.database)

    @property
    def drafting(self) -> Drafting:
        return Drafting(
            catalogue=self.catalogue,
            articles=self.articles,
            versions=self.articles,
            issues=self.issues,
            renderer=self.renderer,
        )

    @property
    def planning(self) -> Planning:
        return Planning(
            catalogue=self.catalogue,
            issues=self.issues,
            readers=self.readers,
            articles=self.articles,
            drafting=self.drafting,
            sandbox=self.sandbox,
            page=self.page,
        )

    @property
    def announcing(self) -> Announcing:
        return Announcing(
            Desk(
                catalogue=self.catalogue,
                notices=Notices(self.database, sandbox=self.sandbox, page=self.page, pick=self._pick),
                issues=self.issues,
                articles=self.articles,
                versions=self.articles,
                renderer=self.renderer,
                sandbox=self.sandbox,
            )
        )

    def revising(self, setting: str = "as it was") -> Revising:
        """Returns what makes waiting mail right again, as delivery has it done at every look."""
        return Revising(
            planning=self.planning,
            drafting=self.drafting,
            issues=self.issues,
            articles=self.articles,
            revisions=Revisions(self.database, sandbox=self.sandbox),
            facts=Facts(self.database),
            setting=setting,
        )

    @property
    def choosing(self) -> Choosing:
        return Choosing(self.catalogue, ReaderChoices(self.database))

    @property
    def previewing(self) -> Previewing:
        return Previewing(
            planning=self.planning,
            announcing=self.announcing,
            drafting=self.drafting,
            issues=self.issues,
            readers=self.readers,
            articles=self.articles,
            sandbox=self.sandbox,
        )

    @asynccontextmanager
    async def simulating(self, folder: Path) -> AsyncIterator[Simulating]:
        """Gives the days to come, played on a copy; stories come out by `come_out`, for there is no folder of them."""
        database = await copied(self.database, folder)
        copy = replace(self, database=database)
        watched = Watched(
            catalogue=copy.catalogue,
            articles=copy.articles,
            versions=copy.articles,
            issues=copy.issues,
            renderer=copy.renderer,
        )
        planning = Planning(
            catalogue=copy.catalogue,
            issues=copy.issues,
            readers=copy.readers,
            articles=copy.articles,
            drafting=watched,
            sandbox=copy.sandbox,
            page=copy.page,
        )
        yield Simulating(
            planning=planning,
            announcing=copy.announcing,
            choosing=copy.choosing,
            watched=watched,
            intake=cast("Intake", Desktop(copy)),
            facts=Facts(database),
            issues=copy.issues,
            readers=copy.readers,
            articles=copy.articles,
            foresight=Foresight(database, sandbox=copy.sandbox),
        )
        await database.close()

    async def simulate(self, days: int, now: datetime, folder: Path) -> list[Turn]:
        """Returns what the next days bring."""
        async with self.simulating(folder) as simulating:
            return await simulating.run(days, now)

    async def story(self, name: str, now: datetime, *, section: str = "asia", **values: object) -> Article:
        """Publishes a story at `now`, by the store's time; not `out`: it waits for its hour, or is only planned."""
        published_at = values.pop("published_at", now)
        assert isinstance(published_at, datetime)
        out = values.pop("out", True)
        article = Article(
            id=f"tag:news.example.org,2026:{name}",
            number=0,
            version=1,
            source=f"{name}.md",
            path=f"/articles/{name}/",
            slug=name.lower(),
            title=name,
            deck=f"Deck of {name}",
            language=str(values.pop("language", "en")),
            section=section,
            first_seen_at=now,
            first_published_at=published_at if out else None,
            published_at=published_at,
            updated_at=published_at,
            revised_at=values.pop("revised_at", now),  # type: ignore[arg-type]
            **values,  # type: ignore[arg-type]
        )
        (saved,) = await self.articles.save([Revision(article=article, body=_body(name), change="new")], [], [], now)
        self.names[name] = saved.number
        return saved

    async def revise(
        self, name: str, change: str, now: datetime, *, recalls: bool = False, **values: object
    ) -> Article:
        """Stores a new version of a story; `recalls`: mail that waits with the one before is stale."""
        before = (await self.articles.by_numbers([self.names[name]]))[self.names[name]]
        after = replace(before, version=before.version + 1, revised_at=now, updated_at=now, **values)  # type: ignore[arg-type]
        await self.articles.save(
            [Revision(article=after, body=_body(name), change=change, recalls=recalls)], [], [], now
        )
        return after

    async def come_out(self, name: str, now: datetime) -> None:
        """Publishes a story whose hour has come, as the next look at the folder does."""
        before = (await self.articles.by_numbers([self.names[name]]))[self.names[name]]
        after = replace(before, first_published_at=now)
        await self.articles.save([Revision(article=after, body=_body(name), change="published")], [], [], now)

    async def reader(
        self,
        name: str,
        newsletters: Sequence[str],
        confirmed_at: datetime,
        *,
        products: Sequence[str] = ("*",),
        until: datetime | None = None,
        language: str = "en",
        timezone: str | None = None,
        cadence: str | None = None,
        cleared: bool = False,
    ) -> int:
        """Adds a confirmed reader with licences."""
        then = micros(confirmed_at)
        async with self.database.write() as connection:
            added = await connection.execute(
                subscribers.insert()
                .values(
                    address=f"{name}@example.org",
                    address_key=f"{name}@example.org",
                    language=language,
                    timezone=timezone,
                    created_at=then,
                )
                .returning(subscribers.c.id)
            )
            number = int(added.scalar_one())
            for one in newsletters:
                own = cadence if self.catalogue.newsletters[one].schedule != "instant" else None
                await connection.execute(
                    subscriptions.insert().values(
                        subscriber_id=number,
                        newsletter=one,
                        status="confirmed",
                        cadence=own,
                        created_at=then,
                        confirmed_at=then,
                    )
                )
            await keep_clocks(connection, [number])
            for product in products:
                await connection.execute(
                    licences.insert().values(
                        subscriber_id=number,
                        product=product,
                        valid_until=None if until is None else micros(until),
                        embargo_cleared=cleared,
                        origin="test",
                        created_at=then,
                    )
                )
        self.people[name] = number
        return number

    async def suppress(self, name: str, now: datetime) -> None:
        """Puts an address on the list of those who are never mailed."""
        values = {"address_hash": name, "address": f"{name}@example.org", "reason": "manual", "origin": "test"}
        async with self.database.write() as connection:
            await connection.execute(suppressions.insert().values(**values, at=micros(now)))

    async def deliver(self, state: DeliveryState = DeliveryState.ACCEPTED) -> None:
        """Ends every open delivery of the issues that may go, as the relay's answer would."""
        sending = sa.select(issues.c.id).where(issues.c.state == IssueState.SENDING.value)
        async with self.database.write() as connection:
            await connection.execute(
                deliveries.update()
                .where(deliveries.c.issue_id.in_(sending), deliveries.c.state == DeliveryState.PENDING.value)
                .values(state=state.value, ended_at=deliveries.c.next_at)
            )
            still = sa.exists().where(
                deliveries.c.issue_id == issues.c.id, deliveries.c.state.in_([state.value for state in OPEN])
            )
            last = (
                sa.select(sa.func.max(deliveries.c.ended_at))
                .where(deliveries.c.issue_id == issues.c.id)
                .scalar_subquery()
            )
            await connection.execute(
                issues.update()
                .where(issues.c.id.in_(sending), ~still)
                .values(state=IssueState.DONE.value, finished_at=last)
            )

    async def defer(self, name: str) -> None:
        """Has the relay put off the last mail to somebody, after all: it was said to be accepted."""
        mine = sa.select(sa.func.max(deliveries.c.id)).where(deliveries.c.subscriber_id == self.people[name])
        last = sa.select(deliveries.c.issue_id).where(deliveries.c.id == mine.scalar_subquery())
        async with self.database.write() as connection:
            await connection.execute(issues.update().where(issues.c.id.in_(last)).values(state=IssueState.SENDING))
            await connection.execute(
                deliveries.update()
                .where(deliveries.c.id == mine.scalar_subquery())
                .values(state=DeliveryState.DEFERRED, ended_at=None)
            )

    async def try_again(self, name: str) -> None:
        """Has it be time for what the relay put off for somebody."""
        mine = sa.and_(deliveries.c.subscriber_id == self.people[name], deliveries.c.state == DeliveryState.DEFERRED)
        async with self.database.write() as connection:
            await connection.execute(deliveries.update().where(mine).values(state=DeliveryState.PENDING))

    async def notices(self) -> list[list[str]]:
        """Returns every mail about a story: when it was planned, its event, reader, story and depth, how it ended."""
        people = {number: name for name, number in self.people.items()}
        stories = {number: name for name, number in self.names.items()}
        query = (
            sa.select(
                issues.c.planned_at,
                issues.c.event,
                deliveries.c.subscriber_id,
                variant_stories.c.article_id,
                variant_stories.c.version,
                variant_stories.c.depth,
                deliveries.c.state,
            )
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .join(variant_stories, variant_stories.c.variant_id == deliveries.c.variant_id)
            .where(issues.c.kind.in_(["notice", "embargo"]))
            .order_by(issues.c.id, deliveries.c.subscriber_id)
        )
        async with self.database.read() as connection:
            return [
                [
                    f"{moment(row.planned_at):%Y-%m-%d %H:%M:%S}",
                    row.event,
                    people[row.subscriber_id],
                    f"{stories[row.article_id]}{f' v{row.version}' if row.version > 1 else ''}",
                    row.depth,
                    row.state,
                ]
                for row in await connection.execute(query)
            ]

    def _pick(self, segments: Sequence[str]) -> Picked:
        conditions = tuple(self.catalogue.segments[each].condition for each in segments)
        return Picked(AllOf(conditions), self.catalogue.site.timezone, at("2026-10-19 00:00"))

    async def due(self, now: datetime) -> list[Issue]:
        """Plans what is due at `now` and delivers it."""
        await self.choosing.wake(now)
        await self.announcing.due(now)
        planned = await self.planning.due(now)
        await self.deliver()
        return planned

    async def got(self) -> dict[str, list[str]]:
        """Returns what each reader's mails were, in order: newsletter, period and stories."""
        people = {number: name for name, number in self.people.items()}
        stories = {number: name for name, number in self.names.items()}
        query = (
            sa.select(
                deliveries.c.subscriber_id,
                issues.c.newsletter,
                slots.c.period,
                variant_stories.c.article_id,
                variant_stories.c.version,
                variant_stories.c.mention,
                issues.c.id,
            )
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .join(slots, slots.c.id == issues.c.slot_id)
            .join(variants, variants.c.id == deliveries.c.variant_id)
            .join(variant_stories, variant_stories.c.variant_id == variants.c.id)
            .where(deliveries.c.state != DeliveryState.SUPPRESSED.value)
            .order_by(issues.c.id, variant_stories.c.position)
        )
        mails: dict[tuple[int, int], str] = {}
        async with self.database.read() as connection:
            for row in await connection.execute(query):
                key = (row.subscriber_id, row.id)
                head = f"{row.newsletter} {row.period}:"
                mark = _MARKS[row.mention]
                version = f" v{row.version}" if row.version > 1 else ""
                mails[key] = f"{mails.get(key, head)} {stories[row.article_id]}{version}{mark},"
        got: dict[str, list[str]] = {name: [] for name in self.people}
        for (reader, _), text in mails.items():
            got[people[reader]].append(text.removesuffix(","))
        return got

    async def slot_states(self) -> list[tuple[str, str, str, str]]:
        """Returns every slot: newsletter, zone, period, state."""
        query = (
            sa.select(cohorts.c.newsletter, cohorts.c.timezone, slots.c.period, slots.c.state)
            .join(cohorts, cohorts.c.id == slots.c.cohort_id)
            .order_by(slots.c.due_at, slots.c.id)
        )
        async with self.database.read() as connection:
            return [tuple(row) for row in await connection.execute(query)]


class Desktop:
    """Stories whose hour comes, in a publication without a folder: what `come_out` does by hand."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: list[Article] = []

    async def load(self) -> None:
        """Reads which stories wait."""
        self._waiting = await self._world.articles.ahead()

    async def take(self, now: datetime, paths: Sequence[str] | None = None, **_: object) -> None:
        """Lets those come out whose hour has come."""
        names = {number: name for name, number in self._world.names.items()}
        for story in [one for one in self._waiting if one.publish_at and one.publish_at <= now]:
            await self._world.come_out(names[story.number], now)
            self._waiting.remove(story)

    def next_change_at(self, now: datetime) -> datetime | None:
        """Returns when the next one comes out."""
        return min((s.publish_at for s in self._waiting if s.publish_at and s.publish_at > now), default=None)


def _told(view: View | None) -> list[str]:
    """Returns a story's title and depth, and its text where it is there."""
    if view is None:
        return []
    return [f"{view.title} [{view.depth.value}]", str(getattr(view, "body_text", ""))]


def _body(name: str) -> Body:
    return Body(html=f"<p>The whole of {name}.</p>", text=f"The whole of {name}.")


def minutes(start: datetime, end: datetime, step: int = 30) -> list[datetime]:
    """Returns the moments at which a service wakes between two instants, both included."""
    count = (end - start) // timedelta(minutes=step)
    return [start + i * timedelta(minutes=step) for i in range(count + 1)]
