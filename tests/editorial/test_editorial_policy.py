"""How much is shown to those who do not subscribe to a story: delay, portion, what lies outside of products."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from editorial.editorial_samples import ASIA, BODY, CANARY, DAY, NOW, PAST, SOON, SPORT, article, catalogue, holding
from publisher.editorial.access import announced, decide
from publisher.editorial.rendition import needs_body, view
from publisher.model.article import Access, Article, Body, Status
from publisher.model.catalogue import Filter, Policy, Product
from publisher.model.people import PUBLIC, Viewer
from publisher.model.text import Localized
from publisher.model.view import Channel, Depth

AHEAD = Policy(public_delay=timedelta(minutes=15))
OUTSIDE = Policy(summaries_outside=True)
KEEPS = Policy(expired_pages=True)
FRESH = article(first_published_at=NOW - timedelta(minutes=10))
WIRE_ONLY = Product(id="asia", title=Localized.of("Asia"), match=ASIA.match, channels=frozenset({Channel.NINJS}))


@pytest.mark.parametrize(
    ("story", "viewer", "policy", "channel", "now", "depth"),
    [
        (FRESH, PUBLIC, AHEAD, Channel.FEED, NOW, Depth.HIDE),
        (FRESH, PUBLIC, AHEAD, Channel.FEED, NOW + timedelta(minutes=5), Depth.SUMMARY),
        (FRESH, holding(ASIA), AHEAD, Channel.FEED, NOW, Depth.FULL),
        (FRESH, holding(SPORT), AHEAD, Channel.FEED, NOW, Depth.HIDE),
        (replace(FRESH, access=Access.PUBLIC), PUBLIC, AHEAD, Channel.PAGE, NOW, Depth.HIDE),
        (replace(FRESH, access=Access.SUBSCRIBER), PUBLIC, AHEAD, Channel.PAGE, NOW + DAY, Depth.HIDE),
        (article(), holding(SPORT), Policy(), Channel.FEED, NOW, Depth.HIDE),
        (article(), holding(SPORT), OUTSIDE, Channel.FEED, NOW, Depth.SUMMARY),
        (article(access=Access.HEADLINE), holding(SPORT), OUTSIDE, Channel.FEED, NOW, Depth.HEADLINE),
        (article(access=Access.SUBSCRIBER), holding(SPORT), OUTSIDE, Channel.FEED, NOW, Depth.HIDE),
        (article(expires=PAST), PUBLIC, Policy(), Channel.PAGE, NOW, Depth.HIDE),
        (article(expires=PAST), PUBLIC, KEEPS, Channel.PAGE, NOW, Depth.SUMMARY),
        (article(expires=PAST), PUBLIC, KEEPS, Channel.FEED, NOW, Depth.HIDE),
        (article(expires=PAST), holding(None), KEEPS, Channel.EMAIL, NOW, Depth.HIDE),
        (article(), holding(WIRE_ONLY), Policy(), Channel.NINJS, NOW, Depth.FULL),
        (article(), holding(WIRE_ONLY), Policy(), Channel.FEED, NOW, Depth.HIDE),
        (article(), holding(WIRE_ONLY), OUTSIDE, Channel.EMAIL, NOW, Depth.SUMMARY),
        (
            article(embargo=SOON),
            holding(WIRE_ONLY, embargo_cleared=True),
            Policy(),
            Channel.NINJS,
            NOW,
            Depth.FULL_EMBARGOED,
        ),
        (article(embargo=SOON), holding(WIRE_ONLY, embargo_cleared=True), Policy(), Channel.EMAIL, NOW, Depth.HIDE),
    ],
)
def test_decide(story: Article, viewer: Viewer, policy: Policy, channel: Channel, now: datetime, depth: Depth) -> None:
    assert decide(story, viewer, channel, now, policy=policy) is depth


def test_products_go_by_subjects_and_genres_too() -> None:
    war = Product(id="war", title=Localized.of("War"), match=Filter(subjects=("20000056",)))
    views = Product(id="views", title=Localized.of("Views"), match=Filter(genres=("Opinion",)))
    story = article(subjects=("20000056",), genre="opinion")
    assert decide(story, holding(war), Channel.FEED, NOW) is Depth.FULL
    assert decide(story, holding(views), Channel.FEED, NOW) is Depth.FULL
    assert decide(article(genre="Current"), holding(views), Channel.FEED, NOW) is Depth.HIDE


def test_what_is_planned_is_announced_to_those_who_will_get_it() -> None:
    planned = article(status=Status.PLANNED, first_published_at=None)
    assert announced(planned, holding(ASIA), NOW)
    assert not announced(planned, holding(SPORT), NOW)
    assert not announced(planned, holding(ASIA, valid_until=PAST), NOW)
    assert not announced(planned, PUBLIC, NOW)
    assert not announced(article(status=Status.DRAFT), holding(ASIA), NOW)
    assert not announced(replace(planned, first_published_at=PAST), holding(ASIA), NOW)


def test_a_summary_carries_as_many_paragraphs_as_the_channel_gives_away() -> None:
    giving = replace(catalogue(), policy=Policy(lead_paragraphs={Channel.PAGE: 1}))
    body = Body(html="<h2>Head</h2><p>One <em>in</em>side<br>two.</p><p>Second &amp; last.</p>", text="")
    assert needs_body(Depth.SUMMARY, Channel.PAGE, giving.policy)
    assert not needs_body(Depth.SUMMARY, Channel.FEED, giving.policy)
    assert not needs_body(Depth.HEADLINE, Channel.PAGE, giving.policy)
    assert needs_body(Depth.FULL, Channel.FEED, giving.policy)
    shown = view(article(), Depth.SUMMARY, catalogue=giving, body=body, channel=Channel.PAGE)
    assert shown is not None
    assert shown.lead == ("One inside two.",)
    assert view(article(), Depth.SUMMARY, catalogue=giving, body=body, channel=Channel.FEED).lead == ()  # type: ignore[union-attr]


def test_a_portion_is_never_the_whole() -> None:
    giving = replace(catalogue(), policy=Policy(lead_paragraphs={Channel.PAGE: 3}))
    shown = view(article(), Depth.SUMMARY, catalogue=giving, body=BODY, channel=Channel.PAGE)
    assert shown is not None
    assert shown.lead == ("Opening words.",)
    assert CANARY not in repr(shown)
