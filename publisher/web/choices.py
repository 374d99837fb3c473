"""What a reader's form of preferences says about one newsletter; its fields are called `NEWSLETTER.FIELD`."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from publisher.errors import UsageError
from publisher.model.catalogue import Newsletter
from publisher.model.choices import Change, Form
from publisher.web.forms import text, texts


def is_there(form: FormData, newsletter: Newsletter) -> bool:
    """Returns whether a form has the fields of a newsletter: no box ticked is a choice, no field is none."""
    return f"{newsletter.id}.choices" in form


def change_of(form: FormData, newsletter: Newsletter, zone: str) -> Change:
    """Returns the wish; UsageError for what cannot be read. `zone` is where the reader's dates are."""

    def said(field: str) -> str:
        return text(form, f"{newsletter.id}.{field}")

    def ticked(field: str) -> tuple[str, ...]:
        return tuple(texts(form, f"{newsletter.id}.{field}"))

    try:
        wanted = Form(said("form") or Form.FULL)
    except ValueError as error:
        raise UsageError(f"{said('form')!r} is no form of a mail") from error
    paused = said("paused") == "yes"
    return Change(
        rhythm=_rhythm(said("rhythm"), said("weekday"), said("day"), said("at")),
        paused=paused,
        paused_until=begin_of(said("until"), zone) if paused else None,
        sections=ticked("section"),
        tags=tuple(filter(None, (tag.strip() for tag in said("tags").split(",")))),
        languages=ticked("language"),
        form=wanted,
    )


def begin_of(day: str, zone: str) -> datetime | None:
    """Returns when a day (`2026-12-01`) begins in a zone; None for no day. UsageError for what is none."""
    if not day:
        return None
    try:
        local = datetime.combine(date.fromisoformat(day), time.min, ZoneInfo(zone))
    except ValueError as error:
        raise UsageError(f"{day!r} is no day such as 2026-12-01") from error
    return local.astimezone(UTC)


def _rhythm(kind: str, weekday: str, day: str, at: str) -> str:
    """Returns a schedule in its words; empty: the newsletter's own. What is wrong in it is judged with the rest."""
    match kind:
        case "daily" | "weekdays":
            return f"{kind} {at}"
        case "weekly":
            return f"weekly {weekday} {at}"
        case "monthly":
            return f"monthly {day} {at}"
    return kind
