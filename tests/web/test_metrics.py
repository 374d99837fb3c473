"""`/metrics`: what Prometheus reads, and who may."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from publications import AGENCY, make_publication, story, write
from publisher.app import App, open_app
from publisher.model.delivery import Stop
from publisher.web import metrics
from publisher.web.health import Vitals
from publisher.web.readership import Readership

URL = "https://news.example.org/metrics"
TOKEN = "t" * 40


def _figures(text: str) -> dict[tuple[str, ...], float]:
    """Returns every figure by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _client(app: App, client_of: Callable[..., Any], *, host: str = "127.0.0.1", **faults: str) -> Any:
    return client_of(Starlette(routes=metrics.routes(app, Vitals(faults=faults), Readership())), (host, 40000))


async def test_figures_say_how_things_stand(tmp_path: Path, client_of: Callable[..., Any]) -> None:
    folder = make_publication(tmp_path / "wire")
    write(folder, "a.md", story("A canary headline"))
    write(folder, "bad.md", "---\ntitle: [\n---\n")
    async with open_app(folder) as app:
        await app.publishing.open()
        await app.publishing.refresh(app.clock.now())
        await app.circulation.add("ada@reader.example", app.clock.now(), newsletters=["weekly"])

        async def stops() -> tuple[Stop, ...]:
            return (Stop(code="relay", reason="it is down"),)

        app.delivering.stops = stops  # type: ignore[method-assign]
        answer = await _client(app, client_of, watcher="gone").get(URL)
    assert answer.status == 200
    found = _figures(answer.text)
    assert found["publisher_articles",] == 1
    assert found["publisher_refused_files",] == 1
    assert found["publisher_deliveries", "pending"] == 1  # the confirmation mail
    assert found["publisher_stop", "relay"] == 1
    assert found["publisher_fault", "watcher"] == 1
    assert found["publisher_sandbox",] == 1
    assert "canary" not in answer.text
    assert "ada" not in answer.text


async def test_only_this_machine_may_ask_and_no_proxy_for_somebody_else(
    tmp_path: Path, client_of: Callable[..., Any]
) -> None:
    async with open_app(make_publication(tmp_path / "wire")) as app:
        client = _client(app, client_of)
        assert (await client.get(URL)).status == 200
        assert (await client.get(URL, x_forwarded_for="127.0.0.1")).status == 404
        assert (await client.get(URL, forwarded="for=192.0.2.1")).status == 404
        assert (await _client(app, client_of, host="192.0.2.7").get(URL)).status == 404


async def test_with_a_token_whoever_shows_it_may(tmp_path: Path, client_of: Callable[..., Any]) -> None:
    config = AGENCY.replace("[http]", f'[http]\nmetrics_token = "{TOKEN}"')
    async with open_app(make_publication(tmp_path / "wire", config)) as app:
        client = _client(app, client_of)
        assert (await client.get(URL)).status == 404
        assert (await client.get(URL, authorization="Bearer wrong")).status == 404
        assert (await client.get(URL, authorization=f"Bearer {TOKEN}", forwarded="for=192.0.2.1")).status == 200
