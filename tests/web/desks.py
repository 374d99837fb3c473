"""A publication with two desks, its private feeds asked for over ASGI."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import feedparser
from starlette.applications import Starlette

from ninjs_schema import faults
from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app
from publisher.web.private import routes

DESKS = AGENCY.replace(
    "[[newsletters]]",
    """[[products]]
id = "money"
title = "Money desk"
sections = ["economy"]

[[newsletters]]""",
    1,
)
CANARY = {"asia-pacific": "The Asian canary sings.", "economy": "The golden canary sings."}
HIDDEN = "Unseen Heron"


def two_desks(folder: Path) -> Path:
    """An agency with two desks, a story of each that the public knows, and one that it does not."""
    made = make_publication(folder, DESKS)
    for name, section in [("isle", "asia-pacific"), ("tea", "economy")]:
        text = f"First paragraph of {name}.\n\n{CANARY[section]}\n"
        write(made, f"{name}.md", story(name.title(), body=text, section=section, date="2026-11-01T08:00:00Z"))
    secret = story(HIDDEN, section="asia-pacific", access="subscriber", date="2026-11-01T09:00:00Z")
    write(made, "heron.md", secret)
    return made


@dataclass
class Desk:
    """A publication with readers."""

    app: App
    clock: ManualClock
    client: Any

    async def reader(self, address: str, **terms: Any) -> str:
        """Adds a reader with licences; returns their folder of feeds."""
        now = self.clock.now()
        await self.app.circulation.add(address, now, confirmed=True, newsletters=[], **terms)
        return (await self.app.circulation.token(address, now)).url.removesuffix("all.atom")

    async def edit(self, address: str, **changes: Any) -> None:
        await self.app.circulation.edit(address, self.clock.now(), **changes)

    async def entries(self, address: str) -> dict[str, str]:
        """Returns the entries of an Atom feed as id and all that they say."""
        answer = await self.client.get(address)
        assert answer.status == 200
        parsed = feedparser.parse(answer.body)
        assert not parsed.bozo
        return {entry.id: f"{entry.title} {entry.summary} {entry.get('content')}" for entry in parsed.entries}

    async def publish(self, **step: float) -> None:
        """Moves the clock and looks at the folder."""
        await self.app.publishing.refresh(self.clock.move(**step))

    def write(self, name: str, title: str, body: str = "", **keys: object) -> None:
        """Writes a story of the Asian desk that says its canary."""
        text = body or f"First paragraph of {name}.\n\n{CANARY['asia-pacific']}\n"
        write(self.app.folder, f"{name}.md", story(title, body=text, **({"section": "asia-pacific"} | keys)))

    def client_at(self, home: str) -> "MachineClient":
        """Returns a machine that reads the wire from its beginning."""
        return MachineClient(self, f"{home}wire.json")


@dataclass
class MachineClient:
    """Follows `next` and forgets nothing else."""

    desk: Desk
    address: str

    async def page(self) -> list[dict[str, Any]]:
        """Asks once; every item keeps to the schema."""
        answer = await self.desk.client.get(self.address)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        said = json.loads(answer.body)
        assert [fault for item in said["items"] for fault in faults(item)] == []
        self.address = said["next"]
        return list(said["items"])

    async def news(self) -> list[dict[str, Any]]:
        """Asks until there is nothing more."""
        found: list[dict[str, Any]] = []
        while page := await self.page():
            found += page
        return found

    async def headlines(self) -> list[str]:
        """Returns what is new, by title."""
        return [item["headlines"][0]["value"] for item in await self.news()]


@asynccontextmanager
async def opened(folder: Path, clock: ManualClock, client_of: Callable[..., Any]) -> AsyncIterator[Desk]:
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        yield Desk(app, clock, client_of(Starlette(routes=routes(app))))
