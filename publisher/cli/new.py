"""`publisher new`: a new article file."""

import re
from datetime import datetime

import click

from publisher.cli.context import Context, pass_context

_TEMPLATE = """---
title: {title}
{section}date: {date}
status: draft
summary: ""
key_points: []
tags: []
---

"""


@click.command("new")
@click.argument("title")
@click.option("--section", metavar="S", help="Its section's id.")
@pass_context
def new_command(ctx: Context, title: str, section: str | None) -> None:
    """Make a new article file with its front matter filled in, as a draft."""
    import json
    from zoneinfo import ZoneInfo

    from publisher import config
    from publisher.content.slug import from_name
    from publisher.errors import UsageError

    settings = config.load(ctx.folder)
    known = [declared.id for declared in settings.sections]
    if section is not None and section not in known:
        raise UsageError(f"there is no section {section!r}; there are: {', '.join(known) or 'none'}")
    if not title.strip() or re.search(r"[\x00-\x1f\x7f]", title):
        raise UsageError("a title of one line is needed")
    slug = from_name(title, title)
    folder = ctx.folder / settings.articles.path / (section or "")
    path = folder / f"{slug}.md"
    if path.exists():
        raise UsageError(f"{path.relative_to(ctx.folder)} is there already; choose another title")
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(ZoneInfo(settings.site.timezone)).replace(microsecond=0)
    text = _TEMPLATE.format(
        title=json.dumps(title.strip(), ensure_ascii=False),
        section=f"section: {section}\n" if section else "",
        date=now.isoformat(),
    )
    path.write_text(text, encoding="utf-8")
    shown = path.relative_to(ctx.folder).as_posix()
    ctx.emit({"path": shown}, f"{shown} is a draft: write it, then delete its line `status: draft`")
