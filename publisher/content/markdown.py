"""Markdown (CommonMark with tables, footnotes, strikethrough, task lists and bare links) to raw HTML."""

import re

import comrak

from publisher.content.text import inline_text

_CHECKBOX = re.compile(r'<input type="checkbox"( checked="")? disabled="" />')
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"[ ]{0,3}#[ \t]+(.+?)(?:[ \t]+#+)?[ \t]*")
_UNDERLINE = re.compile(r"[ ]{0,3}=+[ \t]*")


def _extensions() -> comrak.ExtensionOptions:
    options = comrak.ExtensionOptions()
    options.table = options.footnotes = options.strikethrough = options.tasklist = options.autolink = True
    return options


def _rendering() -> comrak.RenderOptions:
    options = comrak.RenderOptions()
    # Raw HTML passes here, because every body goes through `html.sanitise` afterwards.
    options.unsafe_ = True
    return options


_EXTENSIONS = _extensions()
_RENDERING = _rendering()


def render(text: str) -> str:
    """Returns the HTML of a Markdown text, not yet sanitised."""
    html: str = comrak.render_markdown(text, extension_options=_EXTENSIONS, render_options=_RENDERING)
    return _CHECKBOX.sub(lambda box: "☑" if box[1] else "☐", html) if "<input" in html else html


def without_title(text: str) -> tuple[str, str]:
    """Returns the first heading of level one as plain text, empty if there is none, and the text without it."""
    lines = text.split("\n")
    fence = ""
    for number, line in enumerate(lines):
        if mark := _FENCE.match(line):
            if not fence:
                fence = mark[1]
            elif line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif fence:
            continue
        elif heading := _HEADING.fullmatch(line):
            return inline_text(render(heading[1])), "\n".join([*lines[:number], "", *lines[number + 1 :]])
        elif line.strip() and number + 1 < len(lines) and _UNDERLINE.fullmatch(lines[number + 1]):
            return inline_text(render(line)), "\n".join([*lines[:number], "", "", *lines[number + 2 :]])
    return "", text
