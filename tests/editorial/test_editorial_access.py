"""Who sees how much: the whole table of editorial decisions."""

from datetime import timedelta
from typing import Any

import pytest
from editorial_samples import ASIA, DAY, NOW, PAST, SOON, SPORT, article, catalogue, holding

from publisher.editorial.access import (
    covers,
    decide,
    effective_access,
    entitled,
    lapsed_at,
    matches,
    settled,
    visible_before,
)
from publisher.model.article import Access, Deliver, Status
from publisher.model.catalogue import Filter, Product, Section
from publisher.model.people import PUBLIC, Grant, Viewer
from publisher.model.text import Localized
from publisher.model.view import Channel, Depth

VIEWERS = {
    "public": PUBLIC,
    "match": holding(ASIA),
    "everything": holding(None),
    "no match": holding(SPORT),
    "two products": holding(SPORT, ASIA),
    "ended": holding(ASIA, valid_until=NOW),
    "not yet": holding(ASIA, valid_from=SOON),
    "inactive": holding(ASIA, active=False),
}
PUBLIC_LIKE = ("public", "ended", "not yet", "inactive")
IN_FULL = ("match", "everything", "two products")

BY_ACCESS = {
    Access.PUBLIC: dict.fromkeys(VIEWERS, Depth.FULL),
    Access.SUMMARY: dict.fromkeys(PUBLIC_LIKE, Depth.SUMMARY) | dict.fromkeys(IN_FULL, Depth.FULL),
    Access.HEADLINE: dict.fromkeys(PUBLIC_LIKE, Depth.HEADLINE) | dict.fromkeys(IN_FULL, Depth.FULL),
    Access.SUBSCRIBER: dict.fromkeys(PUBLIC_LIKE, Depth.HIDE) | dict.fromkeys(IN_FULL, Depth.FULL),
    None: dict.fromkeys(PUBLIC_LIKE, Depth.HIDE) | dict.fromkeys(IN_FULL, Depth.FULL),
}


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("viewer", list(VIEWERS))
@pytest.mark.parametrize("access", list(BY_ACCESS))
def test_a_published_story_is_shown_by_access_and_licence(access: Access | None, viewer: str, channel: Channel):
    """Outside one's products a story is left out; without a licence in force one is the public; doubt is closed."""
    expected = BY_ACCESS[access].get(viewer, Depth.HIDE)
    assert decide(article(access=access), VIEWERS[viewer], channel, NOW) is expected


@pytest.mark.parametrize("viewer", list(VIEWERS))
@pytest.mark.parametrize("access", list(Access))
@pytest.mark.parametrize("status", [Status.PUBLISHED, Status.HELD, Status.WITHDRAWN, Status.KILLED])
def test_a_letter_is_only_mail_and_what_is_for_the_web_is_never_mailed(status: Status, access: Access, viewer: str):
    """By the ways it does not go nobody hears of it, not even that it was taken back; by the others all is as ever."""
    for deliver, ways in ((Deliver.MAIL, {Channel.EMAIL}), (Deliver.WEB, set(Channel) - {Channel.EMAIL})):
        story = article(access=access, status=status, deliver=deliver)
        before = [article(access=access, deliver=deliver)]
        for channel in Channel:
            as_ever = decide(
                article(access=access, status=status), VIEWERS[viewer], channel, NOW, earlier=[article(access=access)]
            )
            expected = as_ever if channel in ways else Depth.HIDE
            assert decide(story, VIEWERS[viewer], channel, NOW, earlier=before) is expected, channel


UNSEEN = [
    {"status": Status.DRAFT},
    {"status": Status.PLANNED},
    {"publish_at": SOON},
    {"date": SOON, "first_published_at": None},
    {"expires": NOW},
    {"expires": PAST},
    {"status": Status.KILLED},
    {"status": Status.WITHDRAWN},
    {"status": Status.HELD},
    {"status": Status.DRAFT, "expires": SOON},
    {"publish_at": SOON, "expires": SOON + DAY},
]


@pytest.mark.parametrize("access", list(Access))
@pytest.mark.parametrize("viewer", list(VIEWERS))
@pytest.mark.parametrize("said", UNSEEN, ids=str)
def test_what_is_not_out_is_hidden_from_everybody(said: dict[str, Any], viewer: str, access: Access):
    """Not even a story open to all, and not even for those who hold everything; nobody saw it before either."""
    story = article(access=access, **said)
    assert {decide(story, VIEWERS[viewer], channel, NOW) for channel in Channel} == {Depth.HIDE}


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ({"publish_at": NOW}, False),
        ({"publish_at": NOW + timedelta(microseconds=1)}, True),
        ({"embargo": NOW}, False),
        ({"embargo": NOW + timedelta(microseconds=1)}, True),
        ({"expires": NOW + timedelta(microseconds=1)}, False),
        ({"expires": NOW}, True),
        ({"date": SOON}, False),
        ({"date": SOON, "first_published_at": None}, True),
        ({"date": SOON, "first_published_at": None, "publish_at": PAST}, False),
        ({"date": SOON, "first_published_at": None, "embargo": PAST}, False),
    ],
    ids=str,
)
def test_dates_take_effect_at_their_instant(said: dict[str, Any], hidden: bool):
    """A `date` to come holds back only what was never out and says nothing more exact."""
    assert (decide(article(**said), PUBLIC, Channel.PAGE, NOW) is Depth.HIDE) is hidden


EMBARGO = {
    ("public", False): {},
    ("match", False): {},
    ("match", True): dict.fromkeys((Channel.EMAIL, Channel.NINJS), Depth.FULL_EMBARGOED),
    ("everything", True): dict.fromkeys((Channel.EMAIL, Channel.NINJS), Depth.FULL_EMBARGOED),
    ("no match", True): {},
    ("ended", True): {},
    ("inactive", True): {},
}


@pytest.mark.parametrize("access", list(Access))
@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(("viewer", "cleared"), list(EMBARGO))
def test_an_embargoed_story_goes_to_the_cleared_alone(viewer: str, cleared: bool, channel: Channel, access: Access):
    """By mail and ninjs, never by page or feed, whatever its access will be."""
    grants = tuple(
        Grant(
            product=grant.product,
            valid_from=grant.valid_from,
            valid_until=grant.valid_until,
            active=grant.active,
            embargo_cleared=cleared,
        )
        for grant in VIEWERS[viewer].grants
    )
    story = article(access=access, embargo=SOON, first_published_at=None)
    assert decide(story, Viewer(grants=grants), channel, NOW) is EMBARGO[viewer, cleared].get(channel, Depth.HIDE)


def test_clearance_must_come_with_the_licence_that_covers_the_story():
    viewer = Viewer(grants=(Grant(product=ASIA), Grant(product=SPORT, embargo_cleared=True)))
    assert decide(article(embargo=SOON), viewer, Channel.EMAIL, NOW) is Depth.HIDE


@pytest.mark.parametrize(
    ("status", "depth"),
    [(Status.KILLED, Depth.TOMBSTONE), (Status.WITHDRAWN, Depth.TOMBSTONE), (Status.HELD, Depth.HOLD)],
)
@pytest.mark.parametrize("access", list(Access))
@pytest.mark.parametrize("viewer", list(VIEWERS))
def test_what_is_taken_back_is_told_to_those_who_could_see_it(
    viewer: str, access: Access, status: Status, depth: Depth
):
    """By present entitlement over the versions that were out: nobody else learns that it existed."""
    was = article(access=access)
    seen = BY_ACCESS[access].get(viewer, Depth.HIDE) is not Depth.HIDE
    taken_back = article(access=access, status=status, version=2)
    assert decide(taken_back, VIEWERS[viewer], Channel.FEED, NOW, earlier=[was]) is (depth if seen else Depth.HIDE)


def test_one_open_version_among_several_is_enough_for_a_tombstone():
    versions = [article(access=Access.SUBSCRIBER), article(access=Access.SUMMARY, version=2)]
    killed = article(access=Access.SUBSCRIBER, status=Status.KILLED, version=3)
    assert decide(killed, PUBLIC, Channel.PAGE, NOW, earlier=versions) is Depth.TOMBSTONE
    assert decide(killed, PUBLIC, Channel.PAGE, NOW, earlier=versions[:1]) is Depth.HIDE


def test_a_killed_story_stays_a_tombstone_after_it_would_have_expired():
    killed = article(status=Status.KILLED, expires=PAST, publish_at=SOON)
    assert decide(killed, PUBLIC, Channel.PAGE, NOW, earlier=[article(expires=PAST)]) is Depth.TOMBSTONE


def test_nothing_was_visible_before_without_versions():
    assert not visible_before([], holding(None), NOW)


@pytest.mark.parametrize(
    ("terms", "open_"),
    [
        ({}, True),
        ({"valid_from": NOW}, True),
        ({"valid_from": SOON}, False),
        ({"valid_until": SOON}, True),
        ({"valid_until": NOW}, False),
        ({"valid_from": PAST, "valid_until": SOON}, True),
        ({"active": False}, False),
        ({"archive_days": 2}, True),
        ({"archive_days": 1}, False),
        ({"archive_days": 0}, False),
    ],
    ids=str,
)
def test_a_licence_holds_within_its_terms(terms: dict[str, Any], open_: bool):
    """From its first instant until just before its last; the archive is counted in days from first publication."""
    assert entitled(article(), holding(ASIA, **terms), NOW) is open_


def test_the_archive_counts_from_first_publication_and_not_from_the_editors_date():
    old_date = article(date=NOW - 100 * DAY, published_at=NOW - 100 * DAY, first_published_at=PAST)
    assert entitled(old_date, holding(ASIA, archive_days=7), NOW)
    assert not entitled(article(first_published_at=NOW - 8 * DAY), holding(ASIA, archive_days=7), NOW)
    assert not entitled(
        article(first_published_at=None, published_at=NOW - 8 * DAY), holding(ASIA, archive_days=7), NOW
    )


def test_a_subscriber_beyond_the_archive_does_not_fall_back_to_the_summary():
    assert decide(article(), holding(ASIA, archive_days=1), Channel.FEED, NOW) is Depth.HIDE


def test_each_licence_is_judged_with_its_own_terms():
    viewer = Viewer(grants=(Grant(product=ASIA, valid_until=PAST), Grant(product=SPORT)))
    assert decide(article(), viewer, Channel.FEED, NOW) is Depth.HIDE
    assert decide(article(section="sport"), viewer, Channel.FEED, NOW) is Depth.FULL


NOT_URGENT = Product(
    id="quiet", title=Localized.of("Quiet"), match=Filter(sections=("asia-pacific",)), exclude=Filter(urgency_max=2)
)


@pytest.mark.parametrize(
    ("product", "said", "held"),
    [
        (None, {}, True),
        (None, {"products": ("-asia",)}, True),
        (ASIA, {}, True),
        (ASIA, {"products": ("-asia",)}, False),
        (SPORT, {}, False),
        (SPORT, {"products": ("sport",)}, True),
        (SPORT, {"products": ("sport", "-sport")}, False),
        (SPORT, {"section": "sport", "products": ("-asia",)}, True),
        (NOT_URGENT, {"urgency": 3}, True),
        (NOT_URGENT, {"urgency": 2}, False),
        (NOT_URGENT, {"urgency": 1, "products": ("quiet",)}, True),
        (Product(id="p", title=Localized.of("P"), exclude=Filter()), {}, True),
    ],
)
def test_a_product_holds_a_story_by_filter_or_by_hand(product: Product | None, said: dict[str, Any], held: bool):
    """The editor's `id` and `-id` win over filters; an exclusion that says nothing excludes nothing."""
    assert covers(product, article(**said)) is held


@pytest.mark.parametrize(
    ("criteria", "said", "matching"),
    [
        (Filter(), {}, True),
        (Filter(sections=("asia-pacific", "sport")), {}, True),
        (Filter(sections=("sport",)), {}, False),
        (Filter(sections=("sport",)), {"section": None}, False),
        (Filter(tags=("Transport",)), {}, True),
        (Filter(tags=("rail", "transport")), {}, True),
        (Filter(tags=("rail",)), {}, False),
        (Filter(tags=("rail",)), {"tags": ()}, False),
        (Filter(languages=("en",)), {}, True),
        (Filter(languages=("en",)), {"language": "en-GB"}, True),
        (Filter(languages=("EN-gb",)), {"language": "en-GB"}, True),
        (Filter(languages=("en-GB",)), {"language": "en"}, False),
        (Filter(languages=("e",)), {"language": "en"}, False),
        (Filter(languages=("tr",)), {}, False),
        (Filter(urgency_max=4), {}, True),
        (Filter(urgency_max=3), {}, False),
        (Filter(sections=("asia-pacific",), tags=("rail",)), {}, False),
        (Filter(sections=("asia-pacific",), tags=("transport",), languages=("en",), urgency_max=4), {}, True),
    ],
)
def test_every_criterion_that_is_given_must_match(criteria: Filter, said: dict[str, Any], matching: bool):
    assert matches(criteria, article(**said)) is matching


@pytest.mark.parametrize(
    ("own", "section", "expected"),
    [
        (Access.PUBLIC, Access.SUBSCRIBER, Access.PUBLIC),
        (None, Access.SUBSCRIBER, Access.SUBSCRIBER),
        (None, None, Access.HEADLINE),
        (Access.SUBSCRIBER, None, Access.SUBSCRIBER),
    ],
)
def test_access_comes_from_the_story_then_its_section_then_the_site(
    own: Access | None, section: Access | None, expected: Access
):
    desk = Section(id="s", title=Localized.of("S"), access=section)
    assert effective_access(article(access=own), desk, Access.HEADLINE) is expected
    assert effective_access(article(access=own), None, Access.HEADLINE) is (own or Access.HEADLINE)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("desk-notes", Access.SUBSCRIBER),
        ("asia-pacific", Access.SUMMARY),
        ("nowhere", Access.SUMMARY),
        (None, Access.SUMMARY),
    ],
)
def test_settling_writes_the_access_that_holds_into_the_article(section: str | None, expected: Access):
    assert settled(article(access=None, section=section), catalogue()).access is expected


@pytest.mark.parametrize(
    ("viewer", "moment"),
    [
        (PUBLIC, None),
        (holding(ASIA), None),
        (holding(ASIA, valid_until=NOW), NOW),
        (
            Viewer(grants=(Grant(product=ASIA, valid_until=PAST), Grant(product=SPORT, valid_until=NOW - DAY))),
            NOW - DAY,
        ),
        (Viewer(grants=(Grant(product=ASIA, valid_until=PAST), Grant(product=SPORT))), None),
        (holding(ASIA, valid_from=SOON, valid_until=SOON + DAY), None),
        (holding(ASIA, active=False), None),
        (holding(ASIA, active=False, valid_from=PAST - DAY, valid_until=PAST), PAST),
        (holding(ASIA, active=False, valid_from=SOON, valid_until=PAST), None),  # taken back before it began
    ],
)
def test_a_former_subscriber_is_one_whose_last_licence_ended(viewer: Viewer, moment: Any):
    assert lapsed_at(viewer, NOW) == moment
