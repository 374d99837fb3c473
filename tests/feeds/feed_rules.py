"""The rules of the three formats, as far as a document can break them; each check says which one."""

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from lxml import etree, html

from feed_schema import check_schema

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
DC = "{http://purl.org/dc/elements/1.1/}"
DCTERMS = "{http://purl.org/dc/terms/}"
MEDIA = "{http://search.yahoo.com/mrss/}"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_TAG_URI = re.compile(r"tag:[a-z0-9.@-]+,\d{4}(-\d\d(-\d\d)?)?:\S+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{4})?(-([A-Z]{2}|[0-9]{3}))?(-[a-z0-9]{5,8})*")
_ACTIVE = {"script", "style", "iframe", "object", "embed", "applet", "form", "input", "button", "meta", "link", "base"}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_RFC822 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d ([+-]\d{4}|GMT)")
_FEED_CHILDREN = {
    "author", "category", "contributor", "generator", "icon", "id", "link", "logo", "rights", "subtitle", "title",
    "updated", "entry",
}  # fmt: skip
_ENTRY_CHILDREN = {
    "author", "category", "content", "contributor", "id", "link", "published", "rights", "source", "summary", "title",
    "updated",
}  # fmt: skip
_CHANNEL_CHILDREN = {
    "title", "link", "description", "docs", "generator", "language", "lastBuildDate", "item",
}  # fmt: skip
_ITEM_CHILDREN = {"title", "link", "description", "guid", "category", "enclosure", "pubDate"}
_FEED_KEYS = {
    "version", "title", "home_page_url", "feed_url", "next_url", "description", "authors", "language", "items", "hubs",
}  # fmt: skip
_ITEM_KEYS = {
    "id", "url", "title", "content_html", "summary", "image", "date_published", "date_modified", "authors", "tags",
    "language", "attachments", "_wire",
}  # fmt: skip


def check_xml(document: bytes) -> Any:
    """Returns the root of a document that starts with its declaration, in UTF-8, with namespaces on the root only."""
    assert document.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert b"<![CDATA[" not in document
    root = etree.fromstring(document)
    assert document.count(b"xmlns") == len(root.nsmap)
    return root


def check_rss(document: bytes) -> Any:
    """Returns the channel of a document that keeps the rules of RSS 2.0 and the best practices profile."""
    root = check_xml(document)
    assert (root.tag, root.get("version"), len(root)) == ("rss", "2.0", 1)
    channel = root[0]
    for name in ("title", "link", "description", "language", "generator", "lastBuildDate", "docs"):
        assert len(channel.findall(name)) == 1, name
        assert channel.findtext(name).strip(), name
    assert {child.tag for child in channel if "{" not in child.tag} <= _CHANNEL_CHILDREN
    check_language(channel.findtext("language"))
    check_rfc822(channel.findtext("lastBuildDate"))
    check_uri(channel.findtext("link"))
    own = [link for link in channel.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert [link.get("type") for link in own] == ["application/rss+xml"]
    check_uri(own[0].get("href"))
    items = channel.findall("item")
    assert list(channel)[len(channel) - len(items) :] == items, "items come after the channel's own elements"
    guids = [check_item(item) for item in items]
    assert len(set(guids)) == len(guids)
    return channel


def check_item(item: Any) -> str:
    """Returns the guid of an item that keeps the rules."""
    assert {child.tag for child in item if "{" not in child.tag} <= _ITEM_CHILDREN
    for name in ("title", "description", "guid", "pubDate"):
        assert len(item.findall(name)) == 1, name
        assert item.findtext(name).strip(), name
    assert len(item.findall("link")) <= 1
    assert item.find("guid").get("isPermaLink") == "false"
    assert len(item.findall("enclosure")) <= 1
    for enclosure in item.findall("enclosure"):
        check_uri(enclosure.get("url"))
        assert enclosure.get("length").isdecimal()
        assert enclosure.get("type")
    if item.find("link") is not None:
        check_uri(item.findtext("link"))
    tags = [child.tag for child in item]
    for name in ("description", CONTENT):
        if name in tags:
            check_html(item.findtext(name))
    if item.find(f"{DC}language") is not None:
        check_language(item.findtext(f"{DC}language"))
    check_media(item)
    if CONTENT in tags:
        assert tags.index("description") < tags.index(CONTENT)
    categories = [(c.get("domain"), c.text) for c in item.findall("category")]
    assert len(set(categories)) == len(categories)
    published = check_rfc822(item.findtext("pubDate"))
    assert check_rfc3339(item.findtext(f"{DCTERMS}modified")) >= published
    guid: str = item.findtext("guid")
    check_id(guid)
    return guid


def check_atom(document: bytes) -> Any:
    """Returns the root of a document that keeps the rules of RFC 4287."""
    root = check_xml(document)
    check_schema(root)
    _check_children(root, _FEED_CHILDREN, once={"id", "title", "updated"}, at_most_once={"generator", "subtitle"})
    check_language(root.get(XML_LANG))
    links = root.findall(f"{ATOM}link")
    assert [link.get("type") for link in links if link.get("rel") == "self"] == ["application/atom+xml"]
    assert len([link for link in links if link.get("rel") == "alternate"]) == 1
    for link in links:
        check_uri(link.get("href"))
    entries = root.findall(f"{ATOM}entry")
    assert root.find(f"{ATOM}author") is not None or all(e.find(f"{ATOM}author") is not None for e in entries)
    ids = [check_entry(entry) for entry in entries]
    assert len(set(ids)) == len(ids)
    _check_constructs(root)
    return root


def check_entry(entry: Any) -> str:
    """Returns the id of an entry that keeps the rules."""
    _check_children(
        entry,
        _ENTRY_CHILDREN,
        once={"id", "title", "updated"},
        at_most_once={"content", "published", "summary", "source", "rights"},
    )
    links = entry.findall(f"{ATOM}link")
    alternates = [(link.get("type"), link.get("hreflang")) for link in links if link.get("rel") == "alternate"]
    assert len(set(alternates)) == len(alternates)
    assert alternates or entry.find(f"{ATOM}content") is not None
    for link in links:
        check_uri(link.get("href"))
        assert link.get("rel") in ("alternate", "enclosure", "related", "predecessor-version")
        assert link.get("type")
    published = check_rfc3339(entry.findtext(f"{ATOM}published"))
    assert check_rfc3339(entry.findtext(f"{ATOM}updated")) >= published
    if entry.get(XML_LANG) is not None:
        check_language(entry.get(XML_LANG))
    check_media(entry)
    identity: str = entry.findtext(f"{ATOM}id")
    check_id(identity)
    return identity


def _check_children(element: Any, known: set[str], *, once: set[str], at_most_once: set[str]) -> None:
    names = [child.tag.removeprefix(ATOM) for child in element if child.tag.startswith(ATOM)]
    assert set(names) <= known
    assert all("{" in child.tag for child in element), "nothing without a namespace"
    for name in once:
        assert names.count(name) == 1, name
    for name in at_most_once:
        assert names.count(name) <= 1, name


def _check_constructs(root: Any) -> None:
    for name in ("id", "title", "subtitle", "name"):
        for element in root.iter(f"{ATOM}{name}"):
            assert element.text.strip(), name
            assert element.get("type") in (None, "text")
    for element in root.iter(f"{ATOM}id"):
        assert urlsplit(element.text).scheme, "an absolute IRI"
    for name in ("content", "summary"):
        for element in root.iter(f"{ATOM}{name}"):
            assert element.get("type") == "html"
            assert element.text.strip()
            assert len(element) == 0
            check_html(element.text)
    for element in root.iter(f"{ATOM}category"):
        assert element.get("term")
        assert element.get("scheme") is None or urlsplit(element.get("scheme")).scheme
    for name in ("updated", "published"):
        for element in root.iter(f"{ATOM}{name}"):
            check_rfc3339(element.text)


def check_json(document: bytes) -> Any:
    """Returns the feed of a document that keeps the rules of JSON Feed 1.1."""
    assert not document.startswith(b"\xef\xbb\xbf")
    feed = json.loads(document.decode("utf-8"))
    assert next(iter(feed)) == "version"
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert {"title", "items", "home_page_url", "feed_url"} <= feed.keys() <= _FEED_KEYS
    check_uri(feed["home_page_url"])
    check_uri(feed["feed_url"])
    _check_authors(feed["authors"])
    for item in feed["items"]:
        _check_json_item(item)
    ids = [item["id"] for item in feed["items"]]
    assert len(set(ids)) == len(ids)
    return feed


def _check_json_item(item: dict[str, Any]) -> None:
    assert {"id", "title", "content_html", "date_published", "authors"} <= item.keys() <= _ITEM_KEYS
    assert isinstance(item["id"], str)
    assert item["id"]
    assert item["title"].strip()
    check_html(item["content_html"])
    check_id(item["id"])
    if "language" in item:
        check_language(item["language"])
    _check_authors(item["authors"])
    published = check_rfc3339(item["date_published"])
    if "date_modified" in item:
        assert check_rfc3339(item["date_modified"]) > published
    if "url" in item:
        check_uri(item["url"])
    assert all(isinstance(tag, str) and tag for tag in item.get("tags", []))
    for attachment in item.get("attachments", []):
        assert {"url", "mime_type"} <= attachment.keys() <= {
            "url", "mime_type", "title", "size_in_bytes", "duration_in_seconds",
        }  # fmt: skip
        assert isinstance(attachment.get("size_in_bytes", 0), int)
    assert not [key for key in item if key.startswith("_") and "." in key]


def _check_authors(authors: list[dict[str, str]]) -> None:
    assert authors
    assert all(author["name"].strip() for author in authors)


def check_uri(text: str) -> None:
    """Asserts an absolute URI in ASCII (RFC 3986)."""
    parts = urlsplit(text)
    assert parts.scheme in ("http", "https"), text
    assert parts.netloc
    assert text.isascii()
    assert not re.search(r"[\s<>\"{}|\\^`]", text), text


def check_id(text: str) -> None:
    """Asserts an id that is one for ever: a tag URI (RFC 4151)."""
    assert _TAG_URI.fullmatch(text), text


def check_language(text: str) -> None:
    """Asserts a language tag as it is written (RFC 5646 §2.1.1)."""
    assert _LANGUAGE.fullmatch(text), text


def check_html(text: str) -> None:
    """Asserts HTML that a reader may show: something, in pieces only, with nothing active, and no relative address."""
    assert text.strip()
    assert not re.search(r"<(html|head|body|!doctype)\b", text, re.IGNORECASE), text
    for element in html.fragment_fromstring(text, create_parent=True).iter(etree.Element):
        assert element.tag not in _ACTIVE, element.tag
        for name, value in element.attrib.items():
            assert not name.startswith("on"), name
            if name in ("href", "src", "poster", "cite"):
                assert urlsplit(value).scheme in ("http", "https", "mailto", "tel"), value


def check_media(item: Any) -> None:
    """Asserts what Media RSS 1.5.1 asks of a picture or a recording: an address, a known medium, plain words."""
    for content in item.iter(f"{MEDIA}content"):
        check_uri(content.get("url"))
        assert content.get("medium") in ("image", "audio", "video", "document", "executable")
        for thumbnail in content.findall(f"{MEDIA}thumbnail"):
            check_uri(thumbnail.get("url"))
        for name in ("title", "description"):
            assert all(one.get("type") == "plain" for one in content.findall(f"{MEDIA}{name}"))
        for element in (content, *content.findall(f"{MEDIA}thumbnail")):
            assert all(int(element.get(name, "1")) > 0 for name in ("width", "height", "fileSize", "duration"))


def check_rfc822(text: str) -> datetime:
    """Returns a date that RSS allows, with the right weekday."""
    assert _RFC822.fullmatch(text), text
    moment = parsedate_to_datetime(text)
    assert text[:3] == ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    return moment


def check_rfc3339(text: str) -> datetime:
    """Returns a date that Atom allows."""
    assert _RFC3339.fullmatch(text), text
    return datetime.fromisoformat(text)


_SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
_NEWS = "{http://www.google.com/schemas/sitemap-news/0.9}"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_NEWS_LANGUAGE = re.compile(r"zh-cn|zh-tw|[a-z]{2,3}")


def check_sitemap(document: bytes) -> Any:
    """Returns the root of a document that keeps the rules of sitemap.xsd or siteindex.xsd 0.9 and sitemap-news.xsd 0.9.

    A url is loc, lastmod, then what is foreign, in this order; loc has 12 to 2,048 characters; no page twice; 50,000
    pages and 50 MB at most. A page in several languages names each once, itself among them.
    """
    root = check_xml(document)
    inner = {f"{_SITEMAP}urlset": "url", f"{_SITEMAP}sitemapindex": "sitemap"}[root.tag]
    assert {child.tag for child in root} <= {f"{_SITEMAP}{inner}"}
    assert len(root) <= 50_000
    assert len(document) <= 50 * 1024 * 1024
    for place in root:
        tags = [child.tag for child in place]
        foreign = [tag for tag in tags if not tag.startswith(_SITEMAP)]
        own = [tag.removeprefix(_SITEMAP) for tag in tags if tag.startswith(_SITEMAP)]
        assert own in (["loc"], ["loc", "lastmod"])
        assert tags[len(own) :] == foreign
        assert 12 <= len(place.findtext(f"{_SITEMAP}loc")) <= 2048
        check_uri(place.findtext(f"{_SITEMAP}loc"))
        if "lastmod" in own:
            check_rfc3339(place.findtext(f"{_SITEMAP}lastmod"))
        _check_foreign(place)
    locations = [place.findtext(f"{_SITEMAP}loc") for place in root]
    assert len(locations) == len(set(locations))
    return root


def _check_foreign(place: Any) -> None:
    links = place.findall(f"{_XHTML}link")
    languages = [link.get("hreflang") for link in links]
    assert all(link.get("rel") == "alternate" for link in links)
    assert len(languages) == len(set(languages))
    if links:
        assert len(links) > 1
        assert place.findtext(f"{_SITEMAP}loc") in {link.get("href") for link in links}
    for news in place.findall(f"{_NEWS}news"):
        assert [child.tag.removeprefix(_NEWS) for child in news] == ["publication", "publication_date", "title"]
        publication = news.find(f"{_NEWS}publication")
        assert [child.tag.removeprefix(_NEWS) for child in publication] == ["name", "language"]
        assert _NEWS_LANGUAGE.fullmatch(publication.findtext(f"{_NEWS}language"))
        assert publication.findtext(f"{_NEWS}name").strip()
        assert news.findtext(f"{_NEWS}title").strip()
        check_rfc3339(news.findtext(f"{_NEWS}publication_date"))
