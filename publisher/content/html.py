"""HTML that is safe to show anywhere: on our pages, in feed readers, in mail."""

import re
from html import escape

import nh3
from selectolax.lexbor import LexborHTMLParser

from publisher.content.characters import clean
from publisher.content.entries import Entry
from publisher.content.links import Links
from publisher.errors import RefusedError

_TAGS = frozenset(
    {
        "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del",
        "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6",
        "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp",
        "section", "small", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
        "time", "tr", "u", "ul", "var",
    }
)  # fmt: skip
_ATTRIBUTES = {
    "*": {"lang", "title"},
    "a": {"href", "id"},
    "img": {"src", "alt", "width", "height"},
    "li": {"id", "value"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "time": {"datetime"},
}
_ATTRIBUTE_VALUES = {
    "*": {"dir": {"ltr", "rtl", "auto"}},
    "td": {"align": {"left", "right", "center"}},
    "th": {"align": {"left", "right", "center"}, "scope": {"row", "col"}},
}
_SILENCED = frozenset({"script", "style", "template", "noscript", "iframe", "object", "svg", "math", "title", "head"})
_NUMBERS = frozenset({"width", "height", "start", "value", "colspan", "rowspan"})
_DROPPED = re.compile(r"<(script|iframe|object|embed|form|video|audio|svg|math|style)\b", re.IGNORECASE)
_PICTURE = re.compile(r'<img(?:\s+[\w-]+="[^"]*")*\s*/?>')
_HEADING_1 = re.compile(r"<(/?)h1\b")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Tags that end by themselves; an opened one does not make the tree deeper.
_SELF_ENDING = frozenset(
    {
        "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta",
        "option", "p", "param", "rp", "rt", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track",
        "wbr",
    }
)  # fmt: skip
_FEW_TAGS = 150
_MAX_DEPTH = 100
_SMALL = 20_000
_MAX_PARTS = 2_000
_PARTS = re.compile(r"[\s/]+")
_DATA_URL = re.compile(r"""=\s*["']data:[^"'\s]*["']""")
_MAX_CHARACTERS = 8 * 1024 * 1024


def sanitise(html: str, links: Links) -> str:
    """Returns the part of `html` that may be shown, its links absolute, its only ids those of footnotes.

    Raises RefusedError when the text unfolds to more than any reader would open.
    """
    check(html)

    def attribute(_: str, name: str, value: str) -> str | None:
        if name == "href":
            return links.absolute(value)
        if name == "src":
            url = links.absolute(value)
            return url if url is not None and url.startswith("http") else None
        if name == "id":
            return links.footnote(value)
        if name in _NUMBERS:
            return value if value.isascii() and value.isdigit() and len(value) <= 5 else None
        return value

    safe: str = nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=_SILENCED,
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        tag_attribute_values=_ATTRIBUTE_VALUES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener",
    ).clean(html)
    safe = _PICTURE.sub(lambda tag: tag[0] if ' src="' in tag[0] else "", safe)
    return clean(_HEADING_1.sub(r"<\1h2", safe)).strip()


def left_out(html: str) -> tuple[str, ...]:
    """Returns the names of elements that `sanitise` leaves out and an author would miss."""
    return tuple(dict.fromkeys(match.lower() for match in _DROPPED.findall(html)))


def paragraph(text: str, tag: str = "p") -> str:
    """Returns plain text as an element."""
    return f"<{tag}>{escape(text, quote=False)}</{tag}>"


def meta_entries(html: str) -> tuple[Entry, ...]:
    """Returns `<title>` and `<meta name=…>` of a whole document as front matter (Pelican's HTML)."""
    head = LexborHTMLParser(html).head
    if head is None:
        return ()
    entries: list[Entry] = []
    for node in head.css("title, meta[name][content]"):
        key = "title" if node.tag == "title" else node.attributes.get("name") or ""
        value = node.text() if node.tag == "title" else node.attributes.get("content") or ""
        if value.strip():
            entries.append(Entry(key, value.strip(), _line_of(html, key)))
    return tuple(entries)


def without_title(html: str) -> tuple[str, str]:
    """Returns the text of the first `<h1>` and the document without it."""
    tree = LexborHTMLParser(html)
    heading = tree.css_first("h1")
    if heading is None or tree.body is None:
        return "", html
    title = " ".join(heading.text().split())
    heading.decompose()
    return title, tree.body.inner_html or ""


def _line_of(html: str, key: str) -> int:
    pattern = r"<title\b" if key == "title" else rf"<meta\b[^>]*{re.escape(key)}"
    match = re.search(pattern, html, re.IGNORECASE)
    return html.count("\n", 0, match.start()) + 1 if match else 1


def check(html: str) -> None:
    """Refuses what would keep an HTML parser busy for seconds: its time grows with depth times length."""
    if len(html) > _MAX_CHARACTERS:
        raise RefusedError(f"the text unfolds to {len(html) / 2**20:.0f} million characters of HTML; shorten it")
    if len(html) > _SMALL:
        _check_tags(html)
    opened = html.count("<") - html.count("</")
    if opened <= _MAX_DEPTH or html.count("<") <= _FEW_TAGS:
        return
    depths: dict[str, int] = {}
    depth = 0
    for closing, written in _TAG.findall(html):
        name = written.lower()
        if name in _SELF_ENDING:
            continue
        if not closing:
            depths[name] = depths.get(name, 0) + 1
            depth += 1
        elif depths.get(name, 0):
            depths[name] -= 1
            depth -= 1
        if depth > _MAX_DEPTH:
            raise RefusedError(f"the text is nested deeper than {_MAX_DEPTH} levels (quotes, lists or HTML tags)")


def _check_tags(html: str) -> None:
    """Refuses a tag of thousands of attributes: comparing each with each takes quadratic time.

    What looks like the inside of a tag is judged, whether it is one or not; a `>` may stand in an attribute.
    """
    inside = 0
    for piece in _DATA_URL.sub("", _without_asides(html)).split(">"):
        start = piece.find("<")
        inside = len(_PARTS.findall(piece, max(start, 0))) + (inside if start < 0 else 0)
        if inside > _MAX_PARTS:
            raise RefusedError(f"an HTML tag with more than {_MAX_PARTS} attributes; remove them")


def _without_asides(html: str) -> str:
    """Returns the document without comments, scripts and styles, in which a `<` or `>` means nothing."""
    for opening, closing in (("<!--", "-->"), ("<script", "</script"), ("<style", "</style")):
        first, *others = html.split(opening)
        html = first + "".join(other.partition(closing)[2] for other in others)
    return html
