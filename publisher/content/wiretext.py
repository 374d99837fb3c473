"""Wire text: a story as an agency's page or printer gives it, marked up by nothing but its order.

A byline with its date parts the head (section, title, deck) from the story.
Without one the first line is the title and the rest are paragraphs.
"""

import re
from dataclasses import dataclass

from publisher.content import html
from publisher.content.entries import Entry, Table
from publisher.content.rules import Rules
from publisher.content.slug import slugify

_DAY = r"\d\d?\.\d\d?\.\d{4}(?:\s+\d\d:\d\d)?"
_UPDATE_LABELS = {"update": "en", "updated": "en", "güncelleme": "tr", "güncellendi": "tr"}
_BYLINE = re.compile(rf"(.+?)\s*\|\s*({_DAY})(?:\s*[-–]\s*({'|'.join(_UPDATE_LABELS)})\s*:\s*({_DAY}))?", re.IGNORECASE)
_BYLINE_WITHIN = 12
_KEY_POINT = re.compile(r"[-–•]\s+(.+)")
_STAR = re.compile(r"\*\s+(.+)")
_RUN_IN_DATELINE = re.compile(r"([^\W\d_a-z][^\d_a-z()]{2,39}?)(?:,[^(),]{1,20})?\s+\([^()]{2,20}\)\s+[-–—]\s+(?=\S)")
_DATELINE_MAX = 40
_SMALL_WORDS = frozenset({"and", "da", "de", "del", "di", "do", "dos", "la", "of", "the", "ve"})
_TURKISH_CAPITALS = re.compile("[İĞŞ]")
# A shorter title may well be how the first sentence begins.
_ECHO_MIN = 20
_SUBHEAD_MAX = 150
_TERMINAL = ".!?:…。؟"
_CLOSING_QUOTES = "\"'”’»)]"

_BOILERPLATE = {
    "en": re.compile(
        r"\bonly (?:a )?(?:portion|part) of (?:the|its|our) news\b.*\bsubscribers\b"
        r"|\bcontact us for subscription\b|\bfull (?:story|report) is available to subscribers\b",
        re.IGNORECASE,
    ),
    "tr": re.compile(
        r"\babonelere sunulan haberler\w*,? özetlenerek\b|\babonelik için lütfen iletişime\b"
        r"|\bhaberlerinin yalnızca bir bölümü\b",
        re.IGNORECASE,
    ),
    "fr": re.compile(r"\bseulement une partie des dépêches\b.*\babonnés\b", re.IGNORECASE),
    "de": re.compile(r"\bnur einen teil der (?:nachrichten|meldungen)\b.*\babonnenten\b", re.IGNORECASE),
    "es": re.compile(r"\bsolo (?:una )?parte de las noticias\b.*\b(?:abonados|suscriptores)\b", re.IGNORECASE),
}
_NOTICE_WORDS = ("subscri", "abone", "abonn", "abonad", "suscriptor")
_LABEL_MAX = 40
_TOPICS_LABELS = frozenset(
    {"related-topics", "ilgili-konular", "sujets-lies", "verwandte-themen", "temas-relacionados"}
)
_SHARE_LABELS = frozenset(
    {
        "bu-haberi-paylas", "bu-haberi-paylasin", "haberi-paylas", "share-this-article", "share-this-news",
        "share-this-story", "partager-cet-article", "diesen-artikel-teilen", "compartir-esta-noticia",
    }
)  # fmt: skip
_CREDITS = (
    (re.compile(r"(?:writing|written) by:?\s+(.+)", re.IGNORECASE), "writer"),
    (re.compile(r"(?:additional )?reporting by:?\s+(.+)", re.IGNORECASE), "reporter"),
    (re.compile(r"(?:editing|edited) by:?\s+(.+)", re.IGNORECASE), "editor"),
    (re.compile(r"(?:translation|translated) by:?\s+(.+)", re.IGNORECASE), "translator"),
    (re.compile(r"(?:photo|photos|photograph) by:?\s+(.+)", re.IGNORECASE), "photographer"),
    (re.compile(r"(.+?) contributed to this (?:report|story|article)", re.IGNORECASE), "contributor"),
    (re.compile(r"(?:yazan|kaleme alan)\s*:?\s+(.+)", re.IGNORECASE), "writer"),
    (re.compile(r"(?:haber|muhabir)\s*:\s+(.+)", re.IGNORECASE), "reporter"),
    (re.compile(r"(?:editör|düzenleyen)\s*:\s+(.+)", re.IGNORECASE), "editor"),
    (re.compile(r"(?:çeviren|çeviri|tercüme eden)\s*:?\s+(.+)", re.IGNORECASE), "translator"),
)
_NAMES = re.compile(r"\s*,\s*(?:and\s+|ve\s+)?|\s+(?:and|ve)\s+|\s*&\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A wire text taken apart: what front matter would have said, and the body as HTML."""

    entries: tuple[Entry, ...]
    html: str


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str


def parse(text: str, rules: Rules) -> Wire:
    """Returns the story of a wire text; it has a title, for the text is not blank."""
    lines = [_Line(number, " ".join(line.split())) for number, line in enumerate(text.split("\n"), start=1)]
    written = [index for index, line in enumerate(lines) if line.text][:_BYLINE_WITHIN]
    for position, index in enumerate(written):
        if position and (byline := _BYLINE.fullmatch(lines[index].text)):
            head = [lines[above] for above in written[:position]]
            return _story(head, lines[index].number, byline, lines[index + 1 :], rules)
    title = lines[written[0]]
    return Wire(
        entries=(Entry("title", title.text, title.number),),
        html=_body(_paragraphs(lines[written[0] + 1 :]), subheads=False),
    )


def plain_body(text: str) -> str:
    """Returns the paragraphs of a plain text that has its title in front matter."""
    lines = [_Line(number, " ".join(line.split())) for number, line in enumerate(text.split("\n"), start=1)]
    return _body(_paragraphs(lines), subheads=False)


def _story(head: list[_Line], line: int, byline: re.Match[str], rest: list[_Line], rules: Rules) -> Wire:
    entries = _head(head, rules)
    title = next(entry.value for entry in entries if entry.key == "title")
    entries += [Entry("authors", [byline[1]], line), Entry("date", byline[2], line)]
    if byline[4]:
        entries.append(Entry("updated", byline[4], line))
    rest, tail, notice = _part_tail(rest)
    language = _UPDATE_LABELS.get((byline[3] or "").lower(), notice)
    if language in rules.languages:
        entries.append(Entry("language", language, line))
    entries += _topics(tail)
    blocks, lead = _lead(_without_echo(rest, str(title)))
    entries += lead
    blocks, named = _credits(blocks)
    if named:
        entries.append(Entry("contributors", named, line))
    return Wire(entries=tuple(entries), html=_body(blocks, subheads=True))


def _head(lines: list[_Line], rules: Rules) -> list[Entry]:
    """Tells section, title and deck apart: a section's line is one that config knows, or the first of three."""
    entries = []
    if len(lines) > 1 and (len(lines) > 2 or rules.section_named(lines[0].text) is not None):
        entries.append(Entry("section", lines[0].text, lines[0].number))
        lines = lines[1:]
    entries.append(Entry("title", lines[0].text, lines[0].number))
    if deck := " ".join(line.text for line in lines[1:]):
        entries.append(Entry("deck", deck, lines[1].number))
    return entries


def _part_tail(lines: list[_Line]) -> tuple[list[_Line], list[_Line], str]:
    """Cuts the text where the agency's notice or the page's labels begin; returns the notice's language as well."""
    for index, line in enumerate(lines):
        if any(word in line.text.lower() for word in _NOTICE_WORDS):
            for language, pattern in _BOILERPLATE.items():
                if pattern.search(line.text):
                    return lines[:index], lines[index + 1 :], language
        if len(line.text) <= _LABEL_MAX and slugify(line.text) in _TOPICS_LABELS | _SHARE_LABELS:
            return lines[:index], lines[index:], ""
    return lines, [], ""


def _topics(tail: list[_Line]) -> list[Entry]:
    """Returns the tags listed below a label such as `Related topics`."""
    tags: list[str] = []
    line = 0
    for candidate in tail:
        label = slugify(candidate.text)
        if label in _TOPICS_LABELS:
            line = candidate.number
        elif label in _SHARE_LABELS:
            break
        elif line and candidate.text and len(candidate.text) <= _DATELINE_MAX:
            tags.append(candidate.text.lstrip("#"))
    return [Entry("tags", tags, line)] if tags else []


def _without_echo(lines: list[_Line], title: str) -> list[_Line]:
    """Drops the title where a page repeats it as the caption of its picture."""
    for index, line in enumerate(lines):
        if line.text:
            captioned = len(title) >= _ECHO_MIN and line.text.startswith(title)
            return lines[index + 1 :] if captioned or line.text == title else lines
    return lines


def _lead(lines: list[_Line]) -> tuple[list[list[_Line]], list[Entry]]:
    """Takes key points and dateline off the top of the text."""
    blocks = _paragraphs(lines)
    points: list[str] = []
    entries: list[Entry] = []
    first_point = 0
    while blocks:
        block = blocks[0]
        if all(_KEY_POINT.fullmatch(line.text) for line in block):
            points += [point[1] for line in block if (point := _KEY_POINT.fullmatch(line.text))]
            first_point = first_point or block[0].number
        elif not entries and len(block) == 1 and _is_dateline(block[0].text):
            entries.append(Entry("dateline", _dateline(block[0].text), block[0].number))
        else:
            break
        blocks = blocks[1:]
    if points:
        entries.append(Entry("key_points", points, first_point))
    if blocks and (run_in := _RUN_IN_DATELINE.match(blocks[0][0].text)) and run_in[1].upper() == run_in[1]:
        first = blocks[0][0]
        if not any(entry.key == "dateline" for entry in entries):
            entries.append(Entry("dateline", _dateline(run_in[1]), first.number))
        blocks[0] = [_Line(first.number, first.text[run_in.end() :]), *blocks[0][1:]]
    return blocks, entries


def _is_dateline(text: str) -> bool:
    return (
        len(text) <= _DATELINE_MAX
        and text.upper() == text
        and sum(character.isalpha() for character in text) >= 3
        and not any(character.isdigit() for character in text)
        and text[-1] not in "!?:"
    )


def _dateline(text: str) -> str:
    """Returns `RIO DE JANEIRO` as `Rio de Janeiro` and `DİYARBAKIR` as `Diyarbakır`."""
    turkish = bool(_TURKISH_CAPITALS.search(text))
    words = re.split(r"([\s/,'’-]+)", text.rstrip("."))
    return "".join(_capitalised(word, turkish, first=index == 0) for index, word in enumerate(words))


def _capitalised(word: str, turkish: bool, *, first: bool) -> str:
    lowered = (word.replace("I", "ı") if turkish else word).replace("İ", "i").lower()
    if lowered in _SMALL_WORDS and not first:
        return lowered
    return word[:1] + lowered[1:]


def _credits(blocks: list[list[_Line]]) -> tuple[list[list[_Line]], list[Table]]:
    """Takes lines such as `* Writing by A. Name` out of the text."""
    kept: list[list[_Line]] = []
    named: list[Table] = []
    for block in blocks:
        text_lines = []
        for line in block:
            star = _STAR.fullmatch(line.text)
            found = [credit for part in star[1].split(";") for credit in _credit(part, line.number)] if star else []
            named += found
            if not found:
                text_lines.append(line)
        if text_lines:
            kept.append(text_lines)
    return kept, named


def _credit(text: str, line: int) -> list[Table]:
    for pattern, role in _CREDITS:
        if match := pattern.fullmatch(text.strip().rstrip(".")):
            tables = []
            for name in filter(None, _NAMES.split(match[1].strip())):
                table = Table(line)
                table.update(name=name, role=role)
                tables.append(table)
            return tables
    return []


def _paragraphs(lines: list[_Line]) -> list[list[_Line]]:
    """Groups lines by the empty ones between them; lines that each end a sentence, or are list items, stand alone."""
    groups: list[list[_Line]] = [[]]
    for line in lines:
        if line.text:
            groups[-1].append(line)
        elif groups[-1]:
            groups.append([])
    blocks: list[list[_Line]] = []
    for group in groups:
        if len(group) > 1 and all(_ends_sentence(line.text) for line in group[:-1]):
            blocks.extend([line] for line in group)
        elif group:
            blocks.append(group)
    return blocks


def _ends_sentence(text: str) -> bool:
    bare = text.rstrip(_CLOSING_QUOTES)
    return bool(bare) and bare[-1] in _TERMINAL


def _body(blocks: list[list[_Line]], *, subheads: bool) -> str:
    parts: list[str] = []
    for index, block in enumerate(blocks):
        items = [item[1] for line in block if (item := _KEY_POINT.fullmatch(line.text) or _STAR.fullmatch(line.text))]
        if items and len(items) == len(block):
            parts.append("<ul>" + "".join(html.paragraph(item, "li") for item in items) + "</ul>")
            continue
        text = " ".join(line.text for line in block)
        is_subhead = subheads and 0 < index < len(blocks) - 1 and len(block) == 1 and _is_subhead(text)
        parts.append(html.paragraph(text, "h2" if is_subhead else "p"))
    return "\n".join(parts).replace("</ul>\n<ul>", "")


def _is_subhead(text: str) -> bool:
    return len(text) <= _SUBHEAD_MAX and not _ends_sentence(text)
