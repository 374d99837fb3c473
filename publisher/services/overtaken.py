"""Plans of one story's mail that others may overtake: looked at anew, and no one of them keeps the others back."""

from collections.abc import Awaitable, Callable

import structlog

from publisher.errors import PublisherError, UnreachableError

_TRIES = 5
_log = structlog.get_logger(__name__)


class OvertakenError(PublisherError):
    """Others planned mail to the same people meanwhile: who has what must be looked at anew."""


async def planned(plan: Callable[[], Awaitable[int | None]], kind: str, about: str) -> int | None:
    """Returns the issue that `plan` made grow, if it did; what is wrong with it (its template, say) is logged.

    UnreachableError is not: nothing else could be planned either.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            return await plan()
        except UnreachableError:
            raise
        except OvertakenError as error:
            if attempt == _TRIES:
                _log.warning(f"{kind}.overtaken", about=about, error=str(error))
        except PublisherError as error:
            _log.error(f"{kind}.failed", about=about, error=str(error))
            break
    return None
