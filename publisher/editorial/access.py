"""Who sees how much of a story: the only place that decides."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from publisher.editorial.timing import embargoed, expired, scheduled
from publisher.model.article import Access, Article, Deliver, Status, Story
from publisher.model.catalogue import Catalogue, Filter, Policy, Product, Section
from publisher.model.people import Grant, Viewer
from publisher.model.view import Channel, Depth

_EARLY_CHANNELS = frozenset({Channel.EMAIL, Channel.NINJS})
_PUBLIC_DEPTH = {
    Access.PUBLIC: Depth.FULL,
    Access.SUMMARY: Depth.SUMMARY,
    Access.HEADLINE: Depth.HEADLINE,
    Access.SUBSCRIBER: Depth.HIDE,
}
_PLAIN = Policy()


def decide(
    article: Article,
    viewer: Viewer,
    channel: Channel,
    now: datetime,
    *,
    earlier: Sequence[Article] = (),
    policy: Policy = _PLAIN,
) -> Depth:
    """Returns how much of `article` the viewer gets on `channel` at `now`.

    `earlier` are the versions that were out before: a story that is withdrawn or held is told of only to those
    who, as they are entitled now, could have seen one of them. An article whose `access` is not settled
    (`settled`) counts as for subscribers alone: doubt never publishes.
    """
    earlier = [version for version in earlier if goes_by(version, channel)]
    match article.status:
        case Status.PLANNED | Status.DRAFT:
            return Depth.HIDE
        case Status.KILLED | Status.WITHDRAWN:
            return Depth.TOMBSTONE if visible_before(earlier, viewer, now, policy) else Depth.HIDE
        case Status.HELD:
            return Depth.HOLD if visible_before(earlier, viewer, now, policy) else Depth.HIDE
        case Status.PUBLISHED:
            return _decide_published(article, viewer, channel, now, policy)


def goes_by(story: Story, channel: Channel) -> bool:
    """Returns whether a story goes that way at all: a letter is only mail, others are never mailed."""
    return story.deliver is not (Deliver.WEB if channel is Channel.EMAIL else Deliver.MAIL)


def _decide_published(article: Article, viewer: Viewer, channel: Channel, now: datetime, policy: Policy) -> Depth:
    if scheduled(article, now) or not goes_by(article, channel):
        return Depth.HIDE
    if expired(article, now) and not (policy.expired_pages and channel is Channel.PAGE):
        return Depth.HIDE
    if embargoed(article, now):
        early = channel in _EARLY_CHANNELS and any(g.embargo_cleared for g in _covering(article, viewer, now, channel))
        return Depth.FULL_EMBARGOED if early else Depth.HIDE
    if entitled(article, viewer, now, channel):
        return Depth.FULL
    return _outside(article, viewer, now, policy) if now >= open_from(article, policy, now) else Depth.HIDE


def visible_before(earlier: Sequence[Article], viewer: Viewer, now: datetime, policy: Policy = _PLAIN) -> bool:
    """Returns whether present entitlement opens any of the versions that were out."""
    return any(
        entitled(version, viewer, now) or _outside(version, viewer, now, policy) is not Depth.HIDE
        for version in earlier
    )


def _outside(article: Article, viewer: Viewer, now: datetime, policy: Policy) -> Depth:
    """Returns the depth of a story that is out, for one whose licences do not cover it."""
    if article.access is Access.PUBLIC:
        return Depth.FULL
    if subscribed(viewer, now) and not policy.summaries_outside:
        return Depth.HIDE  # what a subscriber's products leave out is not for this subscriber
    return _PUBLIC_DEPTH[article.access or Access.SUBSCRIBER]


def open_from(article: Article, policy: Policy, now: datetime) -> datetime:
    """Returns when those who do not subscribe to a story may have their portion of it."""
    return (article.first_published_at or now) + policy.public_delay


def was_open(
    version: Article, viewer: Viewer, now: datetime, *, until: datetime | None, policy: Policy = _PLAIN
) -> bool:
    """Returns whether the viewer's wait for a version ended before another took its place at `until` (None: none)."""
    return entitled(version, viewer, now) or open_from(version, policy, now) <= (until or now)


def subscribed(viewer: Viewer, now: datetime) -> bool:
    """Returns whether any licence of the viewer holds at `now`."""
    return any(in_force(grant, now) for grant in viewer.grants)


def entitled(article: Article, viewer: Viewer, now: datetime, channel: Channel | None = None) -> bool:
    """Returns whether one of the viewer's licences covers the story's text at `now`, on a channel (None: on any)."""
    return bool(_covering(article, viewer, now, channel))


def announced(article: Article, viewer: Viewer, now: datetime) -> bool:
    """Returns whether the viewer may know that a story is planned: its title and its date, never more."""
    if article.status is not Status.PLANNED or article.first_published_at is not None:
        return False
    return entitled(article, viewer, now, Channel.EMAIL)


def lapsed_at(viewer: Viewer, now: datetime) -> datetime | None:
    """Returns when the last licence of a former subscriber ended; None while one is in force or none had an end."""
    if subscribed(viewer, now):
        return None
    ends = [
        grant.valid_until
        for grant in viewer.grants
        if grant.valid_until is not None and grant.valid_until <= now and _began(grant, grant.valid_until)
    ]
    return max(ends, default=None)


def _began(grant: Grant, before: datetime) -> bool:
    return grant.valid_from is None or grant.valid_from < before


def _covering(article: Article, viewer: Viewer, now: datetime, channel: Channel | None = None) -> list[Grant]:
    return [
        grant
        for grant in viewer.grants
        if in_force(grant, now)
        and _reaches_back(grant, article, now)
        and covers(grant.product, article)
        and _carries(grant.product, channel)
    ]


def _carries(product: Product | None, channel: Channel | None) -> bool:
    return product is None or channel is None or not product.channels or channel in product.channels


def in_force(grant: Grant, now: datetime) -> bool:
    """Returns whether a licence holds at `now`."""
    return (
        grant.active
        and (grant.valid_from is None or grant.valid_from <= now)
        and (grant.valid_until is None or now < grant.valid_until)
    )


def _reaches_back(grant: Grant, article: Article, now: datetime) -> bool:
    if grant.archive_days is None:
        return True
    published_at = article.first_published_at or article.published_at
    return now - published_at <= timedelta(days=grant.archive_days)


def covers(product: Product | None, story: Story) -> bool:
    """Returns whether a product holds the story; None is everything there is.

    What the editor wrote into the story's `products` (`id`, `-id`) wins over the product's own filters.
    """
    if product is None:
        return True
    if f"-{product.id}" in story.products:
        return False
    if product.id in story.products:
        return True
    return matches(product.match, story) and not excluded(product.exclude, story)


def excluded(exclusion: Filter | None, story: Story) -> bool:
    """Returns whether an exclusion keeps the story out: one without criteria keeps out nothing."""
    return exclusion is not None and exclusion != Filter() and matches(exclusion, story)


def matches(criteria: Filter, story: Story) -> bool:
    """Returns whether a story meets every criterion that is given; languages by RFC 4647 basic filtering."""
    return (
        (not criteria.sections or story.section in criteria.sections)
        and (not criteria.tags or not set(_keys(criteria.tags)).isdisjoint(_keys(story.tags)))
        and (not criteria.languages or any(_speaks(story.language, language) for language in criteria.languages))
        and (criteria.urgency_max is None or story.urgency <= criteria.urgency_max)
        and (not criteria.subjects or not set(criteria.subjects).isdisjoint(story.subjects))
        and (not criteria.genres or story.genre.casefold() in _keys(criteria.genres))
    )


def _keys(tags: Sequence[str]) -> list[str]:
    return [tag.casefold() for tag in tags]


def _speaks(language: str, wanted: str) -> bool:
    return f"{language.lower()}-".startswith(f"{wanted.lower()}-")


def effective_access(story: Story, section: Section | None, default: Access) -> Access:
    """Returns the story's own access, else its section's, else the site's."""
    return story.access or (section.access if section else None) or default


def settled(article: Article, catalogue: Catalogue) -> Article:
    """Returns the article with the access that holds for it under the present configuration."""
    section = catalogue.sections.get(article.section) if article.section else None
    access = effective_access(article, section, catalogue.default_access)
    return article if access is article.access else replace(article, access=access)
