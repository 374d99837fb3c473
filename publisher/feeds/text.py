"""The words of a feed entry, the same for every format.

A plain View has no body, so nothing here can write one: only a `FullView` has
a content.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html import escape

from publisher.languages import label, upper
from publisher.model.article import Correction
from publisher.model.view import FullView, Notice, View

# XML 1.0 §2.2 Char; numeric references to these are illegal as well.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NEWLINE = re.compile("\r\n?")
_SPACES = re.compile(r"[ \t\n]+")
_ADVISED = ("correction", "clarification")
_FIRST_PARAGRAPH = re.compile(r"\s*<p(?:\s[^>]*)?>")


def clean(text: str) -> str:
    """Returns text that every format can carry: XML characters only, LF line ends."""
    return _NOT_XML.sub("", _NEWLINE.sub("\n", text))


_clean_body = lru_cache(64)(clean)
"""Each format writes the same body after the other."""


def line(text: str) -> str:
    """Returns clean text on one line, for titles and names."""
    return _SPACES.sub(" ", clean(text)).strip()


def title(view: View) -> str:
    """Returns the entry's title, never empty."""
    return line(view.title) or view.id


def summary_text(view: View) -> str:
    """Returns the summary as plain text, the deck where there is none; empty when the depth allows neither."""
    return line(view.summary or view.deck)


def summary_html(view: View) -> str:
    """Returns deck, summary, key points, first paragraphs, corrections and notice; empty when the depth allows none."""
    texts = dict.fromkeys(filter(None, (line(view.deck), "" if view.opens_with_summary else line(view.summary))))
    parts = [
        *_corrections(view.corrections, view.words),
        *(f"<p>{escape(text)}</p>" for text in texts),
        _key_points(view),
        *(f"<p>{text}</p>" for text in _lead(view)),
        _notice(view.notice),
    ]
    return _directed("".join(parts), view)


def content_html(view: FullView) -> str:
    """Returns the whole story as HTML: update, corrections, key points, body with its dateline, and who helped."""
    said = [note for note in view.corrections if note.kind != "update"]
    parts = [_update(view), *_corrections(said, view.words), _key_points(view), _body(view), *_contributors(view)]
    return _directed("".join(parts), view)


def entry_html(view: View) -> str:
    """Returns the most that the view allows as HTML, never empty."""
    html = content_html(view) if isinstance(view, FullView) else summary_html(view)
    return html or _directed(f"<p>{escape(title(view))}</p>", view)


def _directed(html: str, view: View) -> str:
    """Returns the HTML of an entry; what is written from right to left says so itself, no feed format can."""
    if not html or view.direction != "rtl":
        return html
    return f'<div lang="{escape(view.language)}" dir="rtl">{html}</div>'


def notice_text(notice: Notice) -> str:
    """Returns the notice with its contact as plain text."""
    contact = f" {notice.contact_label}: {notice.contact}" if notice.contact else ""
    return line(notice.text + contact)


def _lead(view: View) -> Iterator[str]:
    for index, text in enumerate(map(line, view.lead)):
        dateline = upper(line(view.dateline), view.language)
        run_in = index == 0 and dateline and not upper(text, view.language).startswith(dateline)
        yield escape(dateline + label("dateline_separator", view.words) + text if run_in else text)


def _update(view: View) -> str:
    """Returns the line that heads the text of an updated story: when, and what is new if the desk said it."""
    corrected = max((note.at for note in view.corrections if note.kind in _ADVISED), default=None)
    if not view.update_shown or corrected == view.updated_at:  # what was corrected is said by the correction
        return ""
    notes = [line(note.text) for note in view.corrections if note.kind == "update"]
    words = ": ".join([label("updated_line", view.words, when=view.updated_text), *notes[-1:]])
    return f"<p><em>{escape(words)}</em></p>"


def _notice(notice: Notice | None) -> str:
    if notice is None:
        return ""
    contact = f' <a href="{escape(clean(notice.contact))}">{escape(line(notice.contact_label))}</a>'
    return f"<p>{escape(line(notice.text))}{contact if notice.contact else ''}</p>"


def _key_points(view: View) -> str:
    points = "".join(f"<li>{escape(line(point))}</li>" for point in view.key_points)
    return f"<ul>{points}</ul>" if points else ""


def _corrections(notes: Iterable[Correction], language: str) -> Iterator[str]:
    for note in notes:
        if note.kind != "refile":
            yield f"<p><strong>{escape(_kind(note.kind, language))}:</strong> {escape(line(note.text))}</p>"


def _kind(kind: str, language: str) -> str:
    return label(kind if kind in ("correction", "clarification", "update") else "correction", language)


def _contributors(view: View) -> Iterator[str]:
    for phrase, name in view.contributors:
        yield f"<div>{escape(line(f'{phrase} {name}'))}</div>"


def _body(view: FullView) -> str:
    body = _clean_body(view.body_html)
    dateline = upper(line(view.dateline), view.language)
    if not dateline or upper(view.body_text.lstrip(), view.language).startswith(dateline):
        return body
    run_in = escape(dateline + label("dateline_separator", view.words))
    start = _FIRST_PARAGRAPH.match(body)
    if start is None:
        return f"<p>{run_in.strip()}</p>{body}"
    return f"{body[: start.end()]}{run_in}{body[start.end() :]}"
