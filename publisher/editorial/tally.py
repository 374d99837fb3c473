"""How much of a day's report the public sees: the count that a front page gives."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from publisher.model.article import Article
from publisher.model.view import FULL, Depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The stories of one day: how many are out, of how many the public sees nothing, and how many are summarised."""

    out: int = 0
    hidden: int = 0
    summarised: int = 0


def tally(
    newest: Iterable[Article],
    depths: Mapping[int, Depth],
    now: datetime,
    zone: str,
    counts: Callable[[Article], bool],
) -> Tally:
    """Returns the tally of the day that `now` is in, in the IANA time zone `zone`.

    `newest` are the stories that are out, the newest first, `depths` what the public has of each by its number;
    `counts` says of which stories the page tells at all.
    """
    begin = day_of(now, zone)
    out = hidden = summarised = 0
    for article in newest:
        if article.published_at < begin:
            break
        if article.published_at > now or not counts(article):
            continue
        depth = depths.get(article.number, Depth.HIDE)
        out += 1
        hidden += depth is Depth.HIDE
        summarised += depth is not Depth.HIDE and depth not in FULL
    return Tally(out=out, hidden=hidden, summarised=summarised)


def day_of(now: datetime, zone: str) -> datetime:
    """Returns when the local day began that `now` is in."""
    return datetime.combine(now.astimezone(ZoneInfo(zone)).date(), time.min, tzinfo=ZoneInfo(zone))


def next_day(now: datetime, zone: str) -> datetime:
    """Returns when the local day ends that `now` is in."""
    local = ZoneInfo(zone)
    return datetime.combine(now.astimezone(local).date() + timedelta(days=1), time.min, tzinfo=local)
