"""Small publications for tests, and a clock that tests move."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

AGENCY = """
[site]
title = "Test Wire"
url = "https://wire.example"
language = "en"
languages = ["en", "tr"]
timezone = "Europe/Istanbul"
contact = "mailto:desk@wire.example"

[articles]
access = "summary"
on_delete = "withdraw"

[[sections]]
id = "asia-pacific"
title = { en = "Asia - Pacific", tr = "Asya - Pasifik" }

[[sections]]
id = "economy"
title = { en = "Economy", tr = "Ekonomi" }

[[products]]
id = "asia"
title = { en = "Asia desk", tr = "Asya masası" }
sections = ["asia-pacific"]

[[newsletters]]
id = "daily"
title = "Daily digest"
audience = "subscribers"
open = true
schedule = "daily 07:00"

[[newsletters]]
id = "alerts"
title = "Alerts"
audience = "subscribers"
open = true
schedule = "instant"

[[newsletters]]
id = "weekly"
title = "Weekly"
audience = "public"
schedule = "weekly fri 16:00"

[http]
port = 0
"""


@dataclass
class ManualClock:
    """A clock that stands until it is moved."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 11, 2, 9, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment

    def move(self, **step: float) -> datetime:
        self.moment += timedelta(**step)
        return self.moment


def make_publication(folder: Path, config: str = AGENCY) -> Path:
    """Makes an empty publication."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(config, encoding="utf-8")
    (folder / "articles").mkdir(exist_ok=True)
    return folder


def story(title: str, *, body: str = "The first paragraph.\n\nThe canary sentence.\n", **keys: object) -> str:
    """Returns a Markdown article."""
    matter = "".join(f"{key}: {value}\n" for key, value in keys.items())
    return f"---\ntitle: {title}\n{matter}---\n\n{body}"


def write(folder: Path, name: str, text: str | bytes) -> Path:
    """Moves an article in whole, as editors' programs do."""
    path = folder / "articles" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.tmp")
    made.write_bytes(text if isinstance(text, bytes) else text.encode())
    made.replace(path)
    return path
