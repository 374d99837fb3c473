"""The hours in which issues may go out; service mail and notices do not wait for them."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from publisher.model.delivery import Window


def opens_at(window: Window, now: datetime) -> datetime | None:
    """Returns when the window opens next; None: it is open. One that ends before it begins spans midnight."""
    zone = ZoneInfo(window.timezone)
    local = now.astimezone(zone)
    if _within(window, local.time()):
        return None
    day = local.date() if local.time() < window.begins else local.date() + timedelta(days=1)
    return datetime.combine(day, window.begins, zone).astimezone(now.tzinfo)


def _within(window: Window, at: time) -> bool:
    if window.begins < window.ends:
        return window.begins <= at < window.ends
    return at >= window.begins or at < window.ends
