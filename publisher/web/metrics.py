"""`/metrics`: how things stand, for Prometheus. Numbers only; not one is about a person or a story.

They are for who runs the publication: with `http.metrics_token` for who shows it, else for this machine alone.
"""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from publisher import __version__
from publisher.app import App
from publisher.model.issue import TERMINAL, DeliveryState, IssueState
from publisher.web.health import Vitals
from publisher.web.readership import Readership

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_OUTCOMES = ("planned", "accepted", "deferred", "rejected", "suppressed", "uncertain")
_ISSUES = 100


@dataclass(frozen=True, slots=True)
class _Row:
    """One figure: its labels and its value."""

    labels: tuple[str, ...]
    value: float


def routes(app: App, vitals: Vitals, readership: Readership) -> list[BaseRoute]:
    """Returns the route that Prometheus asks."""

    async def metrics(request: Request) -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        if not _may_ask(request, app.settings.http.metrics_token.get_secret_value()):
            raise HTTPException(404)
        body = generate_latest(_Figures([*await _store(app), *_service(app, vitals), *_readers(readership)]))
        return Response(body, media_type=CONTENT_TYPE_LATEST, headers={"cache-control": "no-store"})

    return [Route("/metrics", metrics)]


class _Figures:
    """What prometheus_client takes for a registry."""

    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def collect(self) -> "Iterator[Metric]":
        """Yields what was found."""
        yield from self._families


def _may_ask(request: Request, token: str) -> bool:
    """Whether figures are for whoever asks: a proxy on this machine speaks for strangers, and says so."""
    if token:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(shown.encode(), token.encode())
    host = request.client.host if request.client else ""
    return host in _LOOPBACK and not any(name in request.headers for name in _FORWARDED)


def _gauge(name: str, help_text: str, labels: Iterable[str], rows: Iterable[_Row]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"publisher_{name}", help_text, labels=tuple(labels))
    for row in rows:
        family.add_metric(row.labels, row.value)
    return family


def _counter(name: str, help_text: str, labels: Iterable[str], rows: Iterable[_Row]) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"publisher_{name}", help_text, labels=tuple(labels))
    for row in rows:
        family.add_metric(row.labels, row.value)
    return family


async def _store(app: App) -> "list[Metric]":
    """Returns what the store knows, over all processes."""
    queue = await app.deliveries.unsettled(None)
    latest = await app.issues.latest(limit=_ISSUES)
    open_states = (IssueState.PLANNING, IssueState.HELD, IssueState.SENDING, IssueState.PAUSED)
    newest = {issue.newsletter: issue for issue in reversed(latest) if issue.newsletter and issue.edition}
    counts = await app.issues.all_counts([issue.number for issue in newest.values()])
    stops = await app.delivering.stops()
    away = {stop.relay or "smtp" for stop in stops if stop.code == "relay"}
    paused = [issue.stop_reason or "" for issue in latest if issue.state is IssueState.PAUSED]
    reasons = sorted({stop.code for stop in stops} | {reason.partition(":")[0] for reason in paused if reason})
    return [
        _gauge("deliveries", "Mails that have not come to an end.", ["state"], _by_state(queue)),
        _gauge(
            "issues",
            f"Issues that have not come to an end, of the latest {_ISSUES}.",
            ["state"],
            [_Row((state.value,), sum(issue.state is state for issue in latest)) for state in open_states],
        ),
        _gauge("stop", "1 for each reason why mail stands still (docs/running.md).", ["reason"], _ones(reasons)),
        _gauge("relay_left_alone", "1 for each relay that is left alone.", ["relay"], _ones(sorted(away))),
        _gauge(
            "latest_issue_mails",
            "What became of the mails of a newsletter's latest issue.",
            ["newsletter", "outcome"],
            [
                _Row((name, outcome), getattr(counts[issue.number], outcome))
                for name, issue in sorted(newest.items())
                for outcome in _OUTCOMES
            ],
        ),
        _gauge(
            "latest_issue_planned_timestamp_seconds",
            "When a newsletter's latest issue was planned.",
            ["newsletter"],
            [_Row((name,), issue.planned_at.timestamp()) for name, issue in sorted(newest.items())],
        ),
        _counter(
            "reports",
            "Delivery reports taken in, by what they were.",
            ["kind"],
            [_Row((kind,), number) for kind, number in sorted((await app.bounces.tallies()).items())],
        ),
        *await _hubs(app),
        _gauge(
            "quarantined_bounces",
            "Hard bounces that wait for a word: too many at once.",
            [],
            [_Row((), sum(each.hard for each in await app.bounces.quarantines()))],
        ),
    ]


async def _hubs(app: App) -> "list[Metric]":
    states = await app.announcer.states()
    if not states:
        return []
    told = sorted(app.announcer.told.items())
    return [
        _gauge(
            "hub_feeds_waiting",
            "Changed feeds that a WebSub hub has still to be told of.",
            ["hub"],
            [_Row((each.hub,), each.waiting) for each in states],
        ),
        _gauge(
            "hub_failing",
            "1 for a WebSub hub that does not take what it is told.",
            ["hub"],
            [_Row((each.hub,), each.trouble is not None) for each in states],
        ),
        _counter(
            "hub_announcements",
            "Changed feeds announced to a WebSub hub by this process.",
            ["hub", "outcome"],
            [_Row(of, number) for of, number in told],
        ),
    ]


def _service(app: App, vitals: Vitals) -> "list[Metric]":
    """Returns what this process knows."""
    problems = app.publishing.found_wrong()
    return [
        _gauge("build_info", "The version that runs.", ["version"], [_Row((__version__,), 1)]),
        _gauge("sandbox", "1 while no mail leaves this machine.", [], [_Row((), app.settings.smtp.sandbox)]),
        _gauge("articles", "Stories whose file is there.", [], [_Row((), app.publishing.story_count)]),
        _gauge("refused_files", "Files that cannot be used.", [], [_Row((), sum(p.fatal for p in problems))]),
        _gauge("fault", "1 for each part that cannot work (/readyz says why).", ["part"], _ones(sorted(vitals.faults))),
    ]


def _readers(readership: Readership) -> "list[Metric]":
    return [
        _gauge(
            "feed_programs",
            "About how many programs at different addresses fetch a feed in a day, aggregators apart.",
            ["feed"],
            [_Row((path,), number) for path, number in readership.programs()],
        ),
        _gauge(
            "feed_subscribers",
            "For how many subscribers an aggregator says that it fetches a feed.",
            ["feed", "aggregator"],
            [_Row((path, name), number) for path, name, number in readership.subscribers()],
        ),
        _counter(
            "feed_requests",
            "Requests for public feeds by the status of the answer, by this process.",
            ["status"],
            [_Row((str(status),), number) for status, number in sorted(readership.answers.items())],
        ),
    ]


def _by_state(queue: dict[DeliveryState, int]) -> list[_Row]:
    return [_Row((state.value,), queue.get(state, 0)) for state in DeliveryState if state not in TERMINAL]


def _ones(names: Iterable[str]) -> list[_Row]:
    return [_Row((name,), 1) for name in names]
