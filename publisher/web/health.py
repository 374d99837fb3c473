"""`/healthz`: alive. `/readyz`: able to work. Neither fails because a relay is down."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from publisher.app import App
from publisher.disk import Disk
from publisher.errors import PublisherError

_DATABASE_SECONDS = 3.0
_FIELDS = {"cache-control": "no-store"}


@dataclass(slots=True)
class Vitals:
    """What the service knows of its own parts: why one of them cannot work, by its name."""

    faults: dict[str, str] = field(default_factory=dict)


def routes(app: App, vitals: Vitals) -> list[BaseRoute]:
    """Returns the routes that a supervisor asks."""

    begun_with = _identity(app.state)

    async def alive(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "publication": app.key_id}, headers=_FIELDS)

    async def ready(_request: Request) -> JSONResponse:
        faults = dict(vitals.faults)
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                await app.facts.put("ready_at", app.clock.now().isoformat())
        except PublisherError as error:
            faults["database"] = str(error)
        except TimeoutError:
            faults["database"] = f"the database does not answer within {_DATABASE_SECONDS:g} seconds"
        if stop := Disk(app.state).stop():
            faults["disk"] = stop.reason
        if _identity(app.state) != begun_with:
            faults["state"] = "var/ is no longer the folder that this process began with; restart it"
        return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200, headers=_FIELDS)

    return [Route("/healthz", alive), Route("/readyz", ready)]


def alone(app: App) -> ASGIApp:
    """Returns the application of a process that serves nothing else."""
    return Starlette(routes=routes(app, Vitals()))


def _identity(state: Path) -> tuple[int, int] | None:
    """Returns what tells the state's folder from another of the same name."""
    try:
        status = state.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
