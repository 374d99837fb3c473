"""`subscription.json`: what a reader's licences hold, for the reader's programs (docs/wire.md)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from publisher.feeds.dates import rfc3339
from publisher.feeds.format import Format
from publisher.feeds.text import line
from publisher.model.catalogue import Site
from publisher.model.feed import Feed
from publisher.model.people import EVERYTHING, Grant

MEDIA_TYPE = "application/json"


class _Licence(msgspec.Struct, frozen=True):
    product: str
    title: str
    in_force: bool
    valid_from: str | None
    valid_until: str | None
    archive_days: int | None
    embargo_cleared: bool


class _Feed(msgspec.Struct, frozen=True):
    title: str
    updated: str
    urls: dict[str, str]


class _Document(msgspec.Struct, frozen=True):
    title: str
    service: str
    contact: str
    status: str
    ended: str | None
    licences: list[_Licence]
    feeds: list[_Feed]
    wire: str
    opml: str


def subscription(
    site: Site,
    grants: Sequence[tuple[Grant, bool]],
    ended_at: datetime | None,
    feeds: Sequence[Feed],
    formats: Sequence[Format],
    folder: str,
    language: str,
) -> bytes:
    """Returns what a reader holds: each licence with whether it is `in force`, and the feeds with their last change."""
    document = _Document(
        title=line(site.title),
        service=line(site.service or site.title),
        contact=site.contact,
        status="active" if any(held for _, held in grants) else "ended" if ended_at else "none",
        ended=_moment(ended_at),
        licences=[_licence(grant, site, language, in_force=held) for grant, held in grants],
        feeds=[
            _Feed(line(feed.title), rfc3339(feed.updated_at), {fmt.name: fmt.url_of(feed) for fmt in formats})
            for feed in feeds
        ],
        wire=f"{folder}wire.json",
        opml=f"{folder}feeds.opml",
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _licence(grant: Grant, site: Site, language: str, *, in_force: bool) -> _Licence:
    product = grant.product
    return _Licence(
        product=product.id if product else EVERYTHING,
        title=line(product.title.in_language(language) if product else site.service or site.title),
        in_force=in_force,
        valid_from=_moment(grant.valid_from),
        valid_until=_moment(grant.valid_until),
        archive_days=grant.archive_days,
        embargo_cleared=grant.embargo_cleared,
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
