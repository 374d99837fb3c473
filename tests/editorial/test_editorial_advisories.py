"""What a story's history says to those who have it, and how that reads."""

from dataclasses import replace
from datetime import timedelta

import pytest

from editorial.editorial_samples import CANARY, NOW, PAST, article, catalogue
from publisher.editorial.advisories import advisories, corrections_of
from publisher.editorial.rendition import advice
from publisher.model.advisory import AdvisoryKind as Kind
from publisher.model.article import Article, Correction, Status
from publisher.model.view import Depth

WRONG = Correction(at=NOW, kind="correction", text="The port is Izmir, not Mersin.")
UNCLEAR = Correction(at=NOW, kind="clarification", text="The ferry is for cars as well.")
QUIET = Correction(at=NOW, kind="refile", text="A comma.")
FRESH = Correction(at=NOW, kind="update", text="With a quote.")


def history(*changes: dict[str, object], first: dict[str, object] | None = None) -> list[Article]:
    """Returns the versions of a story; each change is what the next version says otherwise."""
    versions = [article(**(first or {}))]
    for change in changes:
        before = versions[-1]
        after = {"version": before.version + 1, "revised_at": before.revised_at + timedelta(hours=1), **change}
        versions.append(replace(before, **after))  # type: ignore[arg-type]
    return versions


@pytest.mark.parametrize(
    ("versions", "kinds"),
    [
        (history(), []),
        (history({"title": "Another"}), []),
        (history({"corrections": (WRONG,)}), [Kind.CORRECTION]),
        (history({"corrections": (UNCLEAR,)}), [Kind.CLARIFICATION]),
        (history({"corrections": (UNCLEAR, WRONG)}), [Kind.CORRECTION]),
        (history({"corrections": (QUIET,)}), []),
        (history({"corrections": (FRESH,)}), []),
        (history({"status": Status.HELD}), [Kind.HOLD]),
        (history({"status": Status.HELD}, {"status": Status.PUBLISHED}), [Kind.HOLD, Kind.RELEASE]),
        (history({"status": Status.HELD}, {"title": "Still held"}), [Kind.HOLD]),
        (history({"status": Status.HELD}, {"status": Status.KILLED}), [Kind.HOLD, Kind.KILL]),
        (history({"status": Status.KILLED}, {"kill_reason": "More of it"}), [Kind.KILL]),
        (history({"status": Status.WITHDRAWN}), [Kind.WITHDRAWAL]),
        (history({"status": Status.WITHDRAWN}, {"status": Status.PUBLISHED}), [Kind.WITHDRAWAL]),
        (history({"status": Status.DRAFT}), []),
        (history({"status": Status.KILLED}, first={"first_published_at": None, "embargo": None}), []),
        (history({"corrections": (WRONG,)}, first={"first_published_at": None, "embargo": None}), []),
        (history({"corrections": (WRONG,)}, first={"first_published_at": None, "embargo": PAST}), [Kind.CORRECTION]),
    ],
)
def test_history_says(versions: list[Article], kinds: list[Kind]) -> None:
    assert [advisory.kind for advisory in advisories(versions)] == kinds


def test_release_with_a_correction_is_one_advisory_with_its_words() -> None:
    versions = history({"status": Status.HELD}, {"status": Status.PUBLISHED, "corrections": (WRONG, QUIET)})
    release = advisories(versions)[-1]
    assert (release.kind, release.corrections) == (Kind.RELEASE, (WRONG,))


def test_only_what_is_new_is_said_again() -> None:
    versions = history({"corrections": (WRONG,)}, {"corrections": (WRONG, UNCLEAR)})
    assert [advisory.corrections for advisory in advisories(versions)] == [(WRONG,), (UNCLEAR,)]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("tag:example.org,2026-03-08:ferry-line", "tag:example.org,2026-03-08:ferry-line/correction-2"),
        ("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66#correction-2"),
        ("https://old.example/17", "https://old.example/17#correction-2"),
    ],
)
def test_an_advisory_has_an_id_and_an_event_of_its_own(base: str, expected: str) -> None:
    (found,) = advisories(history({"corrections": (WRONG,)}, first={"id": base}))
    assert found.id == expected
    assert found.event == "correction:7:2"


def test_a_kill_is_one_event_whatever_its_version() -> None:
    assert {advisories(history(*([{}] * n), {"status": Status.KILLED}))[0].event for n in range(3)} == {"kill:7"}


def test_the_log_has_corrections_and_clarifications_latest_first() -> None:
    later = replace(UNCLEAR, at=NOW + timedelta(hours=1))
    assert corrections_of(article(corrections=(WRONG, QUIET, FRESH, later))) == [later, WRONG]


def test_a_correction_reads_as_an_entry_beside_the_story() -> None:
    versions = history({"corrections": (WRONG,)})
    (found,) = advisories(versions)
    shown = advice(found, Depth.SUMMARY, catalogue(), told=False)
    assert shown is not None
    assert shown.title == "Correction: Ferry line reopens after nine years"
    assert (shown.id, shown.published_at, shown.updated_at) == (found.id, found.at, found.at)
    assert shown.corrections == (WRONG,)
    assert shown.url == "https://news.example.org/articles/ferry-line/"
    assert shown.notice is None
    headline = advice(found, Depth.HEADLINE, catalogue(), told=False)
    assert headline is not None
    assert headline.corrections == ()
    assert advice(found, Depth.HIDE, catalogue(), told=True) is None


@pytest.mark.parametrize("told", [True, False])
def test_a_kill_says_nothing_of_the_story(told: bool) -> None:
    versions = history({"status": Status.KILLED, "kill_reason": "The source was forged."})
    shown = advice(advisories(versions)[0], Depth.TOMBSTONE, catalogue(), told=told)
    words = repr(shown)
    assert shown is not None
    assert shown.url is None
    assert "KILL" in shown.title
    assert ("forged" in shown.summary) is told
    for secret in ("Ferry", "First boat", CANARY, "A ferry line", "Izmir", "transport"):
        assert secret not in words


def test_advice_speaks_the_story_s_language() -> None:
    versions = history({"status": Status.HELD}, first={"language": "tr"})
    shown = advice(advisories(versions)[0], Depth.HOLD, catalogue(), told=True)
    assert shown is not None
    assert shown.title.startswith("BEKLETİN:")
