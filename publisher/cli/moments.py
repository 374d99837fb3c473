"""Options that are moments."""

from datetime import datetime
from typing import TYPE_CHECKING

from publisher.services.moments import parse_moment

if TYPE_CHECKING:
    from publisher.app import App


def moment_option(app: "App", text: str | None) -> datetime | None:
    """Returns the moment of an option, in the publication's zone unless it says another; None when it was not given."""
    return None if text is None else parse_moment(text, app.catalogue.site.timezone)
