"""From the keys of front matter to the values of a story."""

import posixpath
import re
from datetime import datetime

from publisher.content import fields as f
from publisher.content import permalink, times
from publisher.content.entries import Table
from publisher.content.episode import duration
from publisher.content.fields import Fields
from publisher.content.links import Links
from publisher.content.names import FileName
from publisher.content.rules import Rules
from publisher.errors import RefusedError
from publisher.model.article import Access, Contributor, Correction, Dateline, Deliver, Enclosure, Image, Status

URGENCIES = {"flash": 1, "urgent": 2, "important": 3, "routine": 4}
CORRECTION_KINDS = ("correction", "clarification", "update", "refile")

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x20\x7f]+")
_SUBJECT = re.compile(r"(?:medtop:)?(\d{8})")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_MEDIA_TYPES = {
    ".aac": "audio/aac", ".flac": "audio/flac", ".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".oga": "audio/ogg",
    ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav", ".m4v": "video/mp4", ".mov": "video/quicktime",
    ".mp4": "video/mp4", ".webm": "video/webm", ".csv": "text/csv", ".epub": "application/epub+zip",
    ".pdf": "application/pdf", ".zip": "application/zip", ".avif": "image/avif", ".gif": "image/gif",
    ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
}  # fmt: skip
# A table of ours, for `mimetypes` reads the machine's files and would differ from host to host.
_STRICTNESS = (Access.PUBLIC, Access.SUMMARY, Access.HEADLINE, Access.SUBSCRIBER)
_STATUSES = {**{status.value: status for status in Status}, "hidden": Status.DRAFT, "skip": Status.DRAFT}
_BY = re.compile(r"^by\s+(?=\S)", re.IGNORECASE)


def status(fields: Fields, name: FileName) -> Status:
    """Returns what the editor typed; `draft: true`, Jekyll's `published: false` and `_drafts` keep a story back."""
    typed = fields.word("status", _STATUSES)
    published = fields.alias("published")
    held_back = fields.boolean("draft") or name.draft
    if published is not None and f.is_boolean(published.value):
        held_back = held_back or not f.boolean(published)
    if held_back and typed is not None and _STATUSES[typed] is not Status.DRAFT:
        raise RefusedError(f"status says {typed}, but the file is marked as a draft; keep one", fields.line("status"))
    found = Status.DRAFT if held_back else _STATUSES[typed or "published"]
    if found is Status.KILLED and not fields.text("kill_reason"):
        raise RefusedError("a killed story needs kill_reason: past readers are told it", fields.line("status"))
    return found


def section_and_tags(fields: Fields, name: FileName, rules: Rules) -> tuple[str | None, tuple[str, ...], bool]:
    """Returns section, tags, and whether a section was named that config does not know.

    Of several categories the first that config knows is the section, and the others are tags, for that is what
    they are where sites have no sections.
    """
    spaced = name.post
    categories = _listed(fields, "categories", spaced=True)
    tags = _listed(fields, "tags", spaced=spaced)
    named = fields.texts("section", separators="") if fields.entry("section") else ()
    sections = {text: rules.section_named(text) for text in (*named, *categories)}
    found = next(filter(None, sections.values()), None)
    others = tuple(text for text, section in sections.items() if section is None or section != found)
    unknown = bool(sections) and found is None and (bool(rules.sections) or bool(named))
    if unknown:
        choice = f"one of {', '.join(rules.sections)}" if rules.sections else "a [[sections]] entry in config.toml"
        fields.warn(
            f"unknown section {next(iter(sections))!r}: the story stands in none; use {choice}",
            fields.line("section" if named else "categories"),
        )
    return found, tuple(dict.fromkeys((*tags, *others))), unknown and bool(rules.sections)


def access(fields: Fields, rules: Rules, *, doubtful_section: bool) -> Access | None:
    """Returns what the file says; a story of an unknown section is kept as close as the closest section."""
    typed = fields.word("access", [level.value for level in Access])
    if typed is not None:
        return Access(typed)
    if not doubtful_section:
        return None
    levels = [rules.default_access, *(section.access for section in rules.sections.values() if section.access)]
    strictest = max(levels, key=_STRICTNESS.index)
    return strictest if strictest is not rules.default_access else None


def deliver(fields: Fields) -> Deliver:
    """Returns which ways the story goes; Ghost's `email_only: true` is a letter."""
    typed = fields.word("deliver", [way.value for way in Deliver])
    letter = fields.boolean("email_only")
    if letter and typed not in (None, Deliver.MAIL.value):
        raise RefusedError(f"deliver says {typed}, but email_only says mail; keep one", fields.line("deliver"))
    return Deliver.MAIL if letter else Deliver(typed or Deliver.BOTH)


def products(fields: Fields, rules: Rules) -> tuple[str, ...]:
    """Returns the products named by hand; one to be kept out of must exist, or the text would reach its readers."""
    named = fields.texts("products")
    line = fields.line("products")
    for product in named:
        if product.removeprefix("-") in rules.products:
            continue
        if product.startswith("-"):
            raise RefusedError(f"products: there is no product {product[1:]!r} to keep the story out of", line)
        fields.warn(f"unknown product {product!r}; add [[products]] to config.toml", line)
    return named


def urgency(fields: Fields) -> int:
    """Returns 1 (flash) to 9; 4 is routine."""
    word = fields.text("urgency").lower()
    if not word:
        return URGENCIES["routine"]
    if word in URGENCIES:
        return URGENCIES[word]
    if len(word) == 1 and word in "123456789":
        return int(word)
    raise RefusedError(f"urgency is {word[:60]!r}; write 1 to 9 or {', '.join(URGENCIES)}", fields.line("urgency"))


def language(fields: Fields, name: FileName, rules: Rules) -> str:
    """Returns the BCP 47 tag (RFC 5646 §2.1.1 case) of the story."""
    typed = fields.text("language")
    if not typed:
        return name.language or rules.language
    if not _LANGUAGE.fullmatch(typed):
        raise RefusedError(f"language is {typed[:60]!r}; write a tag such as en, tr or pt-BR", fields.line("language"))
    first, *rest = typed.replace("_", "-").split("-")
    tag = "-".join([first.lower(), *map(_subtag, rest)])
    if rules.languages and tag not in rules.languages:
        fields.warn(f"language {tag} is not one of the site's ({', '.join(rules.languages)})", fields.line("language"))
    return tag


def is_uri(text: str) -> bool:
    """Returns whether a text can be a story's id: an absolute URI (RFC 3986 §4.3) of at most 500 characters."""
    return _URI.fullmatch(text) is not None and len(text) <= 500


def identifier(fields: Fields) -> str | None:
    """Returns the id the file asks for: an absolute URI (RFC 3986 §4.3), as RFC 4287 §4.2.6 wants it."""
    typed = fields.text("id")
    if typed and not is_uri(typed):
        raise RefusedError(
            f"id {typed[:60]!r} is not an absolute URI; write one such as tag:example.org,2025:story, or leave it out",
            fields.line("id"),
        )
    return typed or None


def guid(fields: Fields) -> str:
    """Returns the name that an older feed gave the story, any text of one line (RSS 2.0, guid)."""
    typed = fields.text("guid")
    if len(typed) > 500 or any(character < " " for character in typed):
        raise RefusedError("guid is one line of at most 500 characters, as the old feed had it", fields.line("guid"))
    return typed


def dates(
    fields: Fields, name: FileName, rules: Rules, *, warn_day_only: bool
) -> tuple[datetime | None, datetime | None]:
    """Returns `date` and `updated`; a date in the file's name serves where there is none."""
    typed = fields.entry("date")
    if typed is not None and not f.is_boolean(typed.value):
        moment = fields.time("date", warn_day_only=warn_day_only)
    elif name.date is not None:
        moment = times.read(name.date, rules.timezone, 1, "the date in the file's name")
    else:
        moment = None
    changed = fields.time("updated", warn_day_only=warn_day_only)
    if moment and changed and changed.at < moment.at:
        if not changed.day_only:
            fields.warn("updated lies before date and is not used", fields.line("updated"))
        changed = moment if changed.day_only else None
    return _at(moment), _at(changed)


def gates(fields: Fields) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Returns `publish_at`, `embargo` and `expires`."""
    publish_at, embargo, expires = fields.time("publish_at"), fields.time("embargo"), fields.time("expires")
    if publish_at and embargo:
        raise RefusedError(
            "publish_at and embargo contradict each other: the one shows nothing to anybody, the other sends to those "
            "cleared; keep one",
            max(fields.line("publish_at"), fields.line("embargo")),
        )
    return _at(publish_at), _at(embargo), _at(expires)


def authors(fields: Fields) -> tuple[str, ...]:
    """Returns the names; only the plural key parts a string, for one name may hold a comma."""
    found = fields.entry("authors")
    if found is None:
        return ()
    several = found.name == "authors"
    separator = ";" if ";" in str(found.value) else ","
    named = f.texts(found, separator if several else "")
    return tuple(_BY.sub("", author) for author in named)


def contributors(fields: Fields) -> tuple[Contributor, ...]:
    """Returns who helped, with their roles."""
    found = fields.entry("contributors")
    if found is None:
        return ()
    people = [
        Contributor(name=f.part(table, "name"), role=f.part(table, "role").lower()) for table in f.tables(found, "name")
    ]
    if any(not person.name for person in people):
        raise RefusedError("contributors: every one needs a name", found.line)
    return tuple(people)


def dateline(fields: Fields) -> Dateline | None:
    """Returns where the story was filed: `Ankara`, `Ankara, TR`, or a table of city and country."""
    found = fields.entry("dateline")
    if found is None:
        return None
    if isinstance(found.value, Table):
        city, country = f.part(found.value, "city"), f.part(found.value, "country")
    else:
        city, _, country = (part.strip() for part in fields.text("dateline").partition(","))
    if not city:
        raise RefusedError("dateline: a city is needed", found.line)
    return Dateline(city=city, country=country)


def image(fields: Fields, links: Links) -> Image | None:
    """Returns the lead picture; one that leads nowhere is left out with a warning."""
    found = fields.entry("image")
    if found is None or f.is_boolean(found.value):
        return None
    table = f.tables(found, "src")[0]
    src = f.part(table, "src", "image", "url", "path", "file", "feature")
    if not src:
        return None
    address = links.picture(src)
    if address is None:
        fields.warn(f"image {src[:80]!r} is neither a file beside the story nor a web address; left out", found.line)
        return None
    return Image(
        src=address,
        alt=f.part(table, "alt"),
        caption=f.part(table, "caption"),
        credit=f.part(table, "credit"),
        width=_pixels(table, "width", "w"),
        height=_pixels(table, "height", "h"),
    )


def enclosures(fields: Fields, links: Links) -> tuple[Enclosure, ...]:
    """Returns the files that go with the story; their type is told by their name where none is given."""
    found = fields.entry("enclosures")
    if found is None:
        return ()
    result: list[Enclosure] = []
    for table in f.tables(found, "url"):
        source = f.part(table, "url", "src", "href")
        url = links.absolute(source.replace(" ", "%20")) if source else None
        if url is None or not url.startswith("http"):
            fields.warn(f"enclosure {source[:80]!r} is neither a file beside the story nor a web address", table.line)
            continue
        given = f.part(table, "type", "media_type").lower()
        guessed = _MEDIA_TYPES.get(posixpath.splitext(source.partition("?")[0])[1].lower(), "application/octet-stream")
        if given and not _MEDIA_TYPE.fullmatch(given):
            raise RefusedError(f"enclosures: type {given[:60]!r} is no media type such as audio/mpeg", table.line)
        result.append(
            Enclosure(
                url=url,
                media_type=given or guessed,
                length=_pixels(table, "length") or 0,
                title=f.part(table, "title"),
                duration=_seconds(fields, table, first=not result),
            )
        )
    return tuple(result)


def _seconds(fields: Fields, table: Table, *, first: bool) -> int:
    """Returns how long an enclosure is heard: as it says itself, or the story of its first one."""
    typed = f.part(table, "duration") or (fields.text("duration") if first else "")
    seconds = duration(typed) if typed else 0
    if seconds is None:
        fields.warn(f"duration is {typed[:60]!r}; write seconds, or 1:02:03; left out", table.line)
    return seconds or 0


def corrections(fields: Fields, rules: Rules) -> tuple[Correction, ...]:
    """Returns the public notes on what was wrong, oldest first."""
    found = fields.entry("corrections")
    if found is None:
        return ()
    notes = []
    for table in f.tables(found, "text"):
        kind = f.part(table, "kind", "type").lower() or "correction"
        text = f.part(table, "text", "note")
        if kind not in CORRECTION_KINDS:
            raise RefusedError(
                f"corrections: kind is {kind[:60]!r}; write one of {', '.join(CORRECTION_KINDS)}", table.line
            )
        if not text:
            raise RefusedError("corrections: text is needed, saying what was wrong and what is right", table.line)
        moment = times.read(table.get("date", table.get("at")), rules.timezone, table.line, "corrections: date")
        notes.append(Correction(at=moment.at, kind=kind, text=text))
    return tuple(sorted(dict.fromkeys(notes), key=lambda note: note.at))  # said twice is said once


def aliases(fields: Fields) -> tuple[str, ...]:
    """Returns old addresses of the story, root-relative; one that belongs to the program is left out."""
    found = []
    for typed in fields.texts("aliases"):
        address = permalink.address(typed if typed.startswith("/") else f"/{typed}")
        if address is None:
            fields.warn(
                f"alias {typed[:80]!r} cannot be the address of a story and was left out", fields.line("aliases")
            )
        else:
            found.append(address)
    return tuple(dict.fromkeys(found))


def own_address(
    fields: Fields, rules: Rules, *, slug: str, section: str | None, language: str, date: datetime | None
) -> str | None:
    """Returns the address the file asks for, with its placeholders filled in."""
    typed = fields.text("permalink")
    if not typed:
        return None
    local = date.astimezone(rules.timezone) if date else None
    try:
        filled = permalink.expand(typed, slug=slug, section=section, language=language, date=local)
    except permalink.PatternError as error:
        raise RefusedError(f"permalink {typed[:80]!r}: {error}", fields.line("permalink")) from error
    address = permalink.address(filled) if "://" not in typed else None
    if address is None:
        raise RefusedError(
            f"permalink {typed[:80]!r} cannot be the address of a story; write a path such as /2025/my-story/",
            fields.line("permalink"),
        )
    return address


def subjects(fields: Fields) -> tuple[str, ...]:
    """Returns IPTC Media Topic codes, eight digits each."""
    found = []
    for typed in fields.texts("subjects"):
        if match := _SUBJECT.fullmatch(typed):
            found.append(match[1])
        else:
            fields.warn(f"subject {typed[:60]!r} is no Media Topic code of eight digits", fields.line("subjects"))
    return tuple(found)


def _at(moment: times.Moment | None) -> datetime | None:
    return moment.at if moment else None


def _listed(fields: Fields, name: str, *, spaced: bool) -> tuple[str, ...]:
    """Returns a list of labels; Jekyll parts a string of them at spaces."""
    found = fields.entry(name)
    if found is None:
        return ()
    commas = isinstance(found.value, str) and ("," in found.value or ";" in found.value)
    return f.texts(found, ",;" if commas or not spaced else " ")


def _subtag(text: str) -> str:
    if len(text) == 2 and text.isalpha():
        return text.upper()
    return text.title() if len(text) == 4 and text.isalpha() else text.lower()


def _pixels(table: Table, *names: str) -> int | None:
    typed = f.part(table, *names)
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 12 else None
