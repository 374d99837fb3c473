"""The plain text of sanitised HTML, for text mail and for readers without HTML."""

import re
from dataclasses import dataclass
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode

_SPACE = re.compile(r"[ \t\n\r\f]+")
_BREAK = re.compile(r" *\n *")
_SPACES = re.compile(r" {2,}")
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CONTAINERS = frozenset({"div", "section", "figure", "details", "dl", "body", "thead", "tbody", "tfoot", "article"})
_BLOCKS = (
    _HEADINGS
    | _CONTAINERS
    | {"p", "ul", "ol", "li", "blockquote", "pre", "table", "hr", "figcaption", "summary", "dt", "dd", "caption", "tr"}
)
_DROPPED_REFERENCES = ("↩",)

_ATTRIBUTES = r'(?: [a-z-]+="[^"<>]*")*'
_PHRASE = rf"</?(?:abbr|b|cite|code|del|dfn|em|i|ins|kbd|mark|q|s|small|strong|sub|sup|u|var){_ATTRIBUTES}>"
_WORDS = rf"[^<]*+(?:{_PHRASE}[^<]*+)*+"
_PROSE = re.compile(rf"(?:<(p|h[2-6]){_ATTRIBUTES}>{_WORDS}(?:<a{_ATTRIBUTES}>{_WORDS}</a>{_WORDS})*+</\1>\s*+)++")
"""Paragraphs and headings of mere words and links, as the sanitiser writes them: what most texts consist of."""
_UNLIKE = ("&nbsp;", "&quot;", "\r")
"""What is space once it is read, or is written in one way in a text and in another in an attribute."""
_ANCHOR = re.compile(rf"<a({_ATTRIBUTES})>(.*?)</a>", re.DOTALL)
_HREF = re.compile(r' href="([^"]*)"')
_PARAGRAPH = re.compile(rf"<p{_ATTRIBUTES}>(.*?)</p>", re.DOTALL)
_END = re.compile(r"</(?:p|h[2-6])>\s*")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class PlainText:
    """A body as text: blocks parted by empty lines, and its first paragraph alone."""

    text: str
    first_paragraph: str


def plain(html: str) -> PlainText:
    """Returns the text of sanitised HTML: list marks, quotes with `> `, link targets in brackets."""
    return _of_prose(html) or _of_tree(html)


def _of_prose(html: str) -> PlainText | None:
    """Returns the text of mere paragraphs in half the time that a tree of them takes; None for anything else."""
    if not _PROSE.fullmatch(html) or any(mark in html for mark in _UNLIKE):
        return None
    told = html
    if "<a" in html:
        text, *rest = _ANCHOR.split(html)
        parts = [text]
        for attributes, label, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            href = _HREF.search(attributes)
            parts += _link(_TAG.sub("", label), href[1] if href else ""), after
        told = "".join(parts)
    blocks = [_settle(_spaced(_bare(block))) for block in _END.split(told)]
    words = (" ".join(_bare(found[1]).split()) for found in _PARAGRAPH.finditer(html))
    return PlainText("\n\n".join(filter(None, blocks)), next(filter(None, words), ""))


def _bare(html: str) -> str:
    text = _TAG.sub("", html)
    return unescape(text) if "&" in text else text


def _of_tree(html: str) -> PlainText:
    body = LexborHTMLParser(html).body
    if body is None:
        return PlainText("", "")
    return PlainText("\n\n".join(_blocks(body)), _first_paragraph(body))


def inline_text(html: str) -> str:
    """Returns the text of an HTML fragment on one line."""
    body = LexborHTMLParser(html).body
    return " ".join(body.text().split()) if body is not None else ""


def _first_paragraph(body: LexborNode) -> str:
    for node in body.iter():
        if node.tag == "p" and (text := " ".join(node.text().split())):
            return text
    return ""


def _blocks(parent: LexborNode) -> list[str]:
    """Returns the blocks of an element; loose text between blocks becomes a block of its own."""
    only = parent.first_child
    if only is not None and only.next is None and only.tag == "-text":
        return [text] if (text := _settle(_inline(only))) else []
    blocks: list[str] = []
    loose: list[str] = []

    def close() -> None:
        if text := _settle("".join(loose)):
            blocks.append(text)
        loose.clear()

    for node in parent.iter(include_text=True):
        if node.tag not in _BLOCKS:
            loose.append(_inline(node))
            continue
        close()
        blocks.extend(_block(node))
    close()
    return blocks


def _block(node: LexborNode) -> list[str]:
    tag = node.tag or ""
    if tag in {"ul", "ol"}:
        text = _list(node, tag == "ol")
        return [text] if text else []
    if tag == "pre":
        return ["\n".join(f"    {line}" for line in (node.text() or "").strip("\n").split("\n"))]
    if tag == "hr":
        return ["* * *"]
    if tag == "table":
        return _table(node)
    blocks = _blocks(node)
    if tag == "blockquote":
        quoted = "\n\n".join(blocks)
        return ["\n".join(f"> {line}".rstrip() for line in quoted.split("\n"))] if quoted else []
    if tag == "dd":
        return ["\n".join(f"    {line}".rstrip() for line in "\n\n".join(blocks).split("\n"))] if blocks else []
    return blocks


def _list(node: LexborNode, numbered: bool) -> str:
    items: list[str] = []
    number = _start(node) if numbered else 0
    for item in node.iter():
        mark = f"{number}. " if numbered else "- "
        number += 1
        inner = _blocks(item)
        nested = any(child.tag == "p" for child in item.iter())
        text = ("\n\n" if nested else "\n").join(inner)
        if text:
            items.append(mark + text.replace("\n", "\n" + " " * len(mark)))
    return "\n".join(items)


def _start(node: LexborNode) -> int:
    start = node.attributes.get("start") or "1"
    return int(start) if start.isascii() and start.isdigit() else 1


def _table(node: LexborNode) -> list[str]:
    caption = [" ".join(found.text().split()) for found in node.css("caption")]
    rows = []
    for row in node.css("tr"):
        cells = [_settle(_children(cell)).replace("\n", " ") for cell in row.iter() if cell.tag in {"td", "th"}]
        if any(cells):
            rows.append(" | ".join(cells))
    return [*caption, *(["\n".join(rows)] if rows else [])]


def _settle(text: str) -> str:
    if "\n" not in text and "  " not in text:
        return text.strip()
    return _BREAK.sub("\n", _SPACES.sub(" ", text)).strip()


def _spaced(text: str) -> str:
    return _SPACE.sub(" ", text) if "\n" in text or "  " in text or "\t" in text else text


def _children(node: LexborNode) -> str:
    return "".join(_inline(child) for child in node.iter(include_text=True))


def _inline(node: LexborNode) -> str:
    tag = node.tag
    if tag == "-text":
        return _spaced(node.text_content or "")
    if tag == "br":
        return "\n"
    if tag == "img":
        alt = " ".join((node.attributes.get("alt") or "").split())
        return f"[{alt}]" if alt else ""
    inner = _children(node)
    if tag == "a":
        return _link(inner, node.attributes.get("href") or "")
    if tag in _BLOCKS:
        return f"\n{inner}\n"
    return inner


def _link(label: str, target: str) -> str:
    shown = label.strip()
    if target.startswith("#"):
        return "" if shown.startswith(_DROPPED_REFERENCES) else f"[{shown}]"
    if not target or shown in {target, target.removeprefix("mailto:"), target.removeprefix("https://")}:
        return label
    return f"{label} ({target.removeprefix('mailto:')})" if shown else target
