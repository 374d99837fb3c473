"""What a story is called for ever, and where it stands on the site."""

from datetime import date, datetime
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from publisher.model.article import Story

_TAG_SAFE = "-._~!$&'()*+,;=@/"
PERMALINK = "/articles/{slug}/"


def mint_id(site_url: str, day: date, slug: str, suffix: str = "") -> str:
    """Returns a `tag:` URI (RFC 4151) for a story first seen on `day`; `suffix` sets apart what would collide."""
    specific = f"{slug}-{suffix}" if suffix else slug
    return f"tag:{_authority(site_url)},{day.isoformat()}:{quote(specific, safe=_TAG_SAFE)}"


def _authority(site_url: str) -> str:
    """Returns the host in the letters RFC 4151 §2.1 allows: no port, no colons, international names in ASCII."""
    host = urlsplit(site_url).hostname or "localhost"
    return host.replace(":", "-") if host.isascii() else host.encode("idna").decode("ascii")


def address(story: Story, published_at: datetime, zone: str, pattern: str = PERMALINK) -> str:
    """Returns the story's root-relative address: its own permalink, else the site's pattern filled in.

    The pattern knows `{slug}`, `{section}`, and `{year}`, `{month}`, `{day}` of publication in the site's zone.
    """
    if story.permalink:
        return story.permalink
    day = published_at.astimezone(ZoneInfo(zone))
    filled = pattern.format_map(
        {
            "slug": story.slug,
            "section": story.section or "",
            "year": f"{day:%Y}",
            "month": f"{day:%m}",
            "day": f"{day:%d}",
        }
    )
    return filled.replace("//", "/")
