"""One file in, one manuscript out; or a refusal that says where and what to do."""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from publisher.content import characters, frontmatter, html, markdown, names, story, summary, text, wiretext
from publisher.content import slug as slugs
from publisher.content.entries import Entry
from publisher.content.episode import episode
from publisher.content.fields import Fields
from publisher.content.links import Links
from publisher.content.names import FileName
from publisher.content.rules import Rules
from publisher.errors import RefusedError
from publisher.model.article import Access, Body, Manuscript

_TEMPLATE_TAG = re.compile(
    r"\{%-?\s*(?:include|highlight|post_url|link|figure|raw|for|if)\b|\{\{[<%]|\{\{-?\s*(?:site|page)\."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A file as its format reads it: keys, raw HTML, and what else the format knows."""

    entries: tuple[Entry, ...]
    html: str
    fallback_title: str = ""
    """Serves when the file has no front matter to hold a title."""
    warn_day_only: bool = True


def parse(source: str, data: bytes, rules: Rules) -> Manuscript:
    """Returns the story of one file by its POSIX path below the articles folder.

    Raises RefusedError with the line of the file that stands in the way; anything less is among the warnings.
    """
    source = unicodedata.normalize("NFC", source)
    name = names.read(source, rules.languages)
    reader = _READERS.get(name.suffix)
    if reader is None:
        raise RefusedError(f"{name.suffix or 'a name without ending'} is no article; use .md, .html or .txt")
    written = characters.decode(data)
    draft = reader(written, name, rules)
    fields = Fields(draft.entries, source, rules)
    return _manuscript(source, hashlib.sha256(data).hexdigest(), written, draft, fields, name, rules)


def _manuscript(
    source: str, content_hash: str, written: str, draft: _Draft, fields: Fields, name: FileName, rules: Rules
) -> Manuscript:
    status = story.status(fields, name)
    title = _title(draft, fields)
    language = story.language(fields, name, rules)
    slug, slug_given = _slug(fields, name, source, language, rules)
    section, tags, doubtful = story.section_and_tags(fields, name, rules)
    access = story.access(fields, rules, doubtful_section=doubtful)
    date, updated = story.dates(fields, name, rules, warn_day_only=draft.warn_day_only)
    publish_at, embargo, expires = story.gates(fields)
    links = Links(source, rules, slug)
    image, enclosures = story.image(fields, links), story.enclosures(fields, links)
    body_html = html.sanitise(draft.html, links)
    plain = text.plain(body_html)
    deck = fields.text("deck")
    effective = rules.effective_access(access, section)
    _look_over(written, draft, links, fields)
    return Manuscript(
        source=source,
        content_hash=content_hash,
        body=Body(html=body_html, text=plain.text),
        id=story.identifier(fields),
        title=title,
        language=language,
        slug=slug,
        slug_given=slug_given,
        deck=deck,
        summary=fields.text("summary") or _summary(deck, plain.first_paragraph, effective),
        key_points=fields.texts("key_points", separators=""),
        section=section,
        tags=tags,
        authors=story.authors(fields),
        contributors=story.contributors(fields),
        sources=fields.texts("sources"),
        dateline=story.dateline(fields),
        image=image,
        enclosures=enclosures,
        episode=episode(fields),
        corrections=story.corrections(fields, rules),
        status=status,
        access=access,
        deliver=story.deliver(fields),
        products=story.products(fields, rules),
        urgency=story.urgency(fields),
        date=date,
        updated=updated,
        publish_at=publish_at,
        embargo=embargo,
        embargo_reason=fields.text("embargo_reason"),
        expires=expires,
        translation_of=fields.text("translation_of") or None,
        supersedes=fields.texts("supersedes", separators=""),
        related=fields.texts("related", separators=""),
        aliases=story.aliases(fields),
        guid=story.guid(fields),
        permalink=story.own_address(fields, rules, slug=slug, section=section, language=language, date=date),
        kill_reason=fields.text("kill_reason"),
        ednote=fields.text("ednote"),
        slugline=fields.text("slugline"),
        genre=fields.text("genre"),
        subjects=story.subjects(fields),
        assets=tuple(links.assets),
        links=tuple(links.followed.items()),
        warnings=tuple(sorted(fields.warnings, key=lambda problem: problem.line)),
    )


def _markdown(written: str, name: FileName, _: Rules) -> _Draft:
    matter = frontmatter.split(written)
    if matter.entries is None:
        matter = frontmatter.split_header(written)
    if matter.entries is None:
        title, rest = markdown.without_title(written)
        entries = (Entry("title", title, 1),) if title else ()
        return _Draft(entries=entries, html=markdown.render(rest), fallback_title=name.title)
    body = matter.body
    heading, rest = markdown.without_title(body) if "#" in body or "=" in body else ("", body)
    echoed = heading and any(entry.name in {"title", "headline"} and entry.value == heading for entry in matter.entries)
    return _Draft(entries=matter.entries, html=markdown.render(rest if echoed else body))


def _html(written: str, name: FileName, _: Rules) -> _Draft:
    matter = frontmatter.split(written)
    if matter.entries is not None:
        return _Draft(entries=matter.entries, html=matter.body)
    html.check(written)
    entries = html.meta_entries(written)
    if any(entry.name == "title" for entry in entries):
        return _Draft(entries=entries, html=written)
    title, rest = html.without_title(written)
    titled = (Entry("title", title, 1), *entries) if title else entries
    return _Draft(entries=titled, html=rest, fallback_title=name.title)


def _text(written: str, _: FileName, rules: Rules) -> _Draft:
    written = written.replace("\xa0", " ")
    matter = frontmatter.split(written)
    if matter.entries is None:
        wire = wiretext.parse(written, rules)
        return _Draft(entries=wire.entries, html=wire.html, warn_day_only=False)
    return _Draft(entries=matter.entries, html=wiretext.plain_body(matter.body))


_READERS: dict[str, Callable[[str, FileName, Rules], _Draft]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".txt": _text,
}


def _title(draft: _Draft, fields: Fields) -> str:
    if title := fields.text("title"):
        return title
    if draft.fallback_title:
        fields.warn(f"no title; the file's name serves as one: {draft.fallback_title}", 1)
        return draft.fallback_title
    raise RefusedError("no title; write `title: …` into the front matter")


def _slug(fields: Fields, name: FileName, source: str, language: str, rules: Rules) -> tuple[str, bool]:
    if typed := fields.text("slug"):
        return slugs.check(typed, fields.line("slug")), True
    slug = slugs.from_name(name.stem, source)
    # `story.en.md` and `story.tr.md` are two stories, and need two addresses.
    if name.language and language != rules.language:
        slug = f"{slug[: slugs.MAX - 1 - len(language)].rstrip('-')}-{language.lower()}"
    return slug, False


def _summary(deck: str, first_paragraph: str, access: Access) -> str:
    """Returns a summary where none is given; what only subscribers may know is never summarised for others."""
    if access is Access.SUBSCRIBER:
        return ""
    return deck or summary.generate(first_paragraph)


def _look_over(written: str, draft: _Draft, links: Links, fields: Fields) -> None:
    """Warns of what an author would miss in the result."""
    for problem in links.problems:
        fields.warn(problem, 1)
    for element in html.left_out(draft.html):
        fields.warn(f"<{element}> is not shown and was left out", _line_of(f"<{element}", written))
    if "{%" in written or "{{" in written:
        tag = _TEMPLATE_TAG.search(written)
        if tag:
            fields.warn(f"{tag[0]} is a template's tag and appears in the text as it stands", _line_of(tag[0], written))


def _line_of(part: str, written: str) -> int:
    found = written.lower().find(part.lower())
    return written.count("\n", 0, found) + 1 if found >= 0 else 1
