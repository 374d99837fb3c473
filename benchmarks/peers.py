"""Other generators on the same articles: Hugo (Debian), Eleventy (npm) and Pelican (PyPI), left out where they are not.

Each makes a page per story, a page per desk and one of all with the newest forty, and feeds of the newest fifty in as
many of our three formats as it offers without a plug-in; Hugo a sitemap as well.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DESKS = 10
_SECONDS = 240
_ELEVENTY = "@11ty/eleventy@3"
_PELICAN = "pelican[markdown]==4.*"


@dataclass(frozen=True, slots=True)
class Peer:
    """A generator: where its articles lie, and how it builds."""

    name: str
    articles: str
    """The folder below the site's that the articles go to."""
    prepare: Callable[[Path], None]
    command: list[str]


def peers() -> tuple[list[Peer], list[str]]:
    """Returns the generators that are there, and a line for each that is not."""
    found, missing = [], []
    for make in (_hugo, _eleventy, _pelican):
        made = make()
        if isinstance(made, Peer):
            found.append(made)
        else:
            missing.append(made)
    return found, missing


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "publisher-benchmarks"


def _fetched(command: list[str]) -> bool:
    try:
        _cache().mkdir(parents=True, exist_ok=True)
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


# Hugo -----------------------------------------------------------------------------------------------------------------

_HUGO = {
    "config.toml": """
baseURL = "https://bench.example/"
title = "Benchmark"
disableKinds = ["taxonomy", "term"]
[outputs]
home = ["HTML", "RSS", "ATOM", "JSON"]
section = ["HTML", "RSS", "ATOM", "JSON"]
[services.rss]
limit = 50
[mediaTypes."application/atom+xml"]
suffixes = ["atom"]
[outputFormats.ATOM]
mediaType = "application/atom+xml"
baseName = "index"
isPlainText = false
[markup.goldmark.renderer]
unsafe = true
""",
    "layouts/_default/baseof.html": """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ .Title }} | {{ site.Title }}</title>
<meta name="description" content="{{ .Summary | plainify | truncate 200 }}">
<link rel="canonical" href="{{ .Permalink }}">
</head><body><header><a href="/">{{ site.Title }}</a><nav><ul>
{{ range site.Sections }}<li><a href="{{ .RelPermalink }}">{{ .Title }}</a></li>{{ end }}</ul></nav></header>
<main>{{ block "main" . }}{{ end }}</main>
<footer>{{ site.Title }}<ul>{{ range site.Sections }}<li><a href="{{ .RelPermalink }}">{{ .Title }}</a></li>{{ end }}
</ul></footer></body></html>
""",
    "layouts/_default/single.html": """{{ define "main" }}<article><h1>{{ .Title }}</h1>
<time datetime="{{ .Date.Format "2006-01-02T15:04:05Z07:00" }}">{{ .Date.Format "2 January 2006 15:04" }}</time>
{{ .Content }}</article>{{ end }}
""",
    "layouts/_default/list.html": """{{ define "main" }}<h1>{{ .Title }}</h1>
{{ range first 40 .RegularPages }}<h2><a href="{{ .RelPermalink }}">{{ .Title }}</a></h2><p>{{ .Summary }}</p>{{ end }}
{{ end }}
""",
    "layouts/index.html": """{{ define "main" }}{{ range first 40 site.RegularPages }}
<h2><a href="{{ .RelPermalink }}">{{ .Title }}</a></h2><p>{{ .Summary }}</p>{{ end }}{{ end }}
""",
}
_HUGO_ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>{{ .Title }}</title><id>{{ .Permalink }}</id>
{{ range first 50 PAGES }}<entry><title>{{ .Title }}</title><id>{{ .Permalink }}</id>
<updated>{{ .Date.Format "2006-01-02T15:04:05Z07:00" }}</updated>
<content type="html">{{ .Content | html }}</content></entry>{{ end }}</feed>
"""
_HUGO_JSON = """{"version": "https://jsonfeed.org/version/1.1", "title": {{ .Title | jsonify }}, "items": [
{{ range $n, $page := first 50 PAGES }}{{ if $n }},{{ end }}{"id": {{ .Permalink | jsonify }},
"title": {{ .Title | jsonify }}, "content_html": {{ .Content | jsonify }}}{{ end }}]}
"""


def _hugo() -> Peer | str:
    if not shutil.which("hugo"):
        return "Hugo is left out: there is none (Debian's package `hugo`)"

    def prepare(site: Path) -> None:
        _write(site, _HUGO)
        for name, pages in (("index", "site.RegularPages"), ("_default/section", ".RegularPages")):
            feeds = {"atom.atom": _HUGO_ATOM, "json.json": _HUGO_JSON}
            _write(site / "layouts", {f"{name}.{kind}": text.replace("PAGES", pages) for kind, text in feeds.items()})

    return Peer(name="Hugo", articles="content", prepare=prepare, command=["hugo", "--quiet"])


# Eleventy -------------------------------------------------------------------------------------------------------------

_ELEVENTY_CONFIG = """
const desks = Array.from({ length: %d }, (_, n) => `desk-${n}`);
module.exports = function (config) {
  const newest = (api, desk) => api.getFilteredByGlob(`./articles/${desk}/*.md`).sort((a, b) => b.date - a.date);
  config.addCollection("lists", (api) => ["*", ...desks].map((desk) => {
    const stories = newest(api, desk);
    return { name: desk === "*" ? "all" : desk, shown: stories.slice(0, 40), fed: stories.slice(0, 50) };
  }));
  config.addGlobalData("desks", desks);
  config.addGlobalData("layout", "story.njk");
  return { markdownTemplateEngine: false, dir: { includes: "layouts" } };
};
"""
_ELEVENTY_SITE = {
    ".eleventy.js": _ELEVENTY_CONFIG % DESKS,
    "layouts/story.njk": """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }} | Benchmark</title></head><body><header><nav><ul>
{% for desk in desks %}<li><a href="/{{ desk }}/">{{ desk }}</a></li>{% endfor %}</ul></nav></header>
<main><article><h1>{{ title }}</h1><time>{{ date }}</time>{{ content | safe }}</article></main>
<footer><ul>{% for desk in desks %}<li><a href="/{{ desk }}/">{{ desk }}</a></li>{% endfor %}</ul></footer>
</body></html>
""",
    "lists.njk": """---
layout: false
pagination: {data: collections.lists, size: 1, alias: list}
permalink: "/{{ list.name }}/index.html"
---
<!doctype html><title>{{ list.name }}</title>{% for story in list.shown %}
<h2><a href="{{ story.url }}">{{ story.data.title }}</a></h2>{% endfor %}
""",
    "atom.njk": """---
layout: false
pagination: {data: collections.lists, size: 1, alias: list}
permalink: "/feeds/{{ list.name }}.atom"
---
<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>{{ list.name }}</title>
{% for story in list.fed %}<entry><title>{{ story.data.title }}</title><id>{{ story.url }}</id>
<content type="html">{{ story.templateContent | escape }}</content></entry>{% endfor %}</feed>
""",
    "rss.njk": """---
layout: false
pagination: {data: collections.lists, size: 1, alias: list}
permalink: "/feeds/{{ list.name }}.rss"
---
<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>{{ list.name }}</title>
{% for story in list.fed %}<item><title>{{ story.data.title }}</title><guid>{{ story.url }}</guid>
<description>{{ story.templateContent | escape }}</description></item>{% endfor %}</channel></rss>
""",
    "json.njk": """---
layout: false
pagination: {data: collections.lists, size: 1, alias: list}
permalink: "/feeds/{{ list.name }}.json"
---
{"version": "https://jsonfeed.org/version/1.1", "items": [{% for story in list.fed %}
{"id": {{ story.url | dump | safe }}, "content_html": {{ story.templateContent | dump | safe }}}
{% if not loop.last %},{% endif %}{% endfor %}]}
""",
}


@cache
def _eleventy() -> Peer | str:
    script = _cache() / "node_modules" / "@11ty" / "eleventy" / "cmd.cjs"
    install = ["npm", "install", "--prefix", str(_cache()), "--ignore-scripts", "--no-audit", "--no-fund", _ELEVENTY]
    if not shutil.which("node") or not shutil.which("npm"):
        return "Eleventy is left out: node and npm are missing"
    if not script.is_file() and not _fetched(install):
        return "Eleventy is left out: npm could not fetch it"
    command = ["node", str(script), "--quiet"]
    return Peer(
        name="Eleventy", articles="articles", prepare=lambda site: _write(site, _ELEVENTY_SITE), command=command
    )


# Pelican --------------------------------------------------------------------------------------------------------------

_PELICAN_SITE = {
    "pelicanconf.py": """
SITENAME = "Benchmark"
SITEURL = "https://bench.example"
TIMEZONE = "UTC"
PATH = "articles"
THEME = "simple"
FEED_DOMAIN = SITEURL
FEED_ALL_ATOM, FEED_ALL_RSS = "feeds/all.atom", "feeds/all.rss"
CATEGORY_FEED_ATOM, CATEGORY_FEED_RSS = "feeds/{slug}.atom", "feeds/{slug}.rss"
FEED_MAX_ITEMS = 50
DEFAULT_PAGINATION = 40
DIRECT_TEMPLATES = ["index"]
TAG_SAVE_AS = AUTHOR_SAVE_AS = ARCHIVES_SAVE_AS = ""
""",
}


@cache
def _pelican() -> Peer | str:
    home = _cache() / "pelican"
    python = home / "bin" / "python"
    if not (home / "bin" / "pelican").is_file():
        made = _fetched([sys.executable, "-m", "venv", str(home)])
        if not made or not _fetched([str(python), "-m", "pip", "install", "-q", _PELICAN]):
            return "Pelican is left out: pip could not fetch it"
    command = [str(home / "bin" / "pelican"), "-q", "-s", "pelicanconf.py"]
    return Peer(name="Pelican", articles="articles", prepare=lambda site: _write(site, _PELICAN_SITE), command=command)


def _write(site: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
