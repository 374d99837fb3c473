"""Feeds of other programs, as they come."""

from datetime import UTC, datetime

import pytest

from publisher.errors import UsageError
from publisher.feeds.foreign import read

RSS = b"""<?xml version="1.0"?>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>
<title>Old</title><link>https://old.press/</link>
<item><media:title>not this</media:title><title>One &amp; all</title><link>https://old.press/one/</link>
<guid isPermaLink="false">5f3a</guid><pubDate>Mon, 19 Oct 2026 08:00:00 +0300</pubDate></item>
<item><title><![CDATA[Two]]></title><link>https://old.press/two/</link><dc:date>2026-10-20T08:00:00Z</dc:date></item>
</channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Old</title>
<entry><id>tag:old.press,2019:1</id><title type="html">One</title><link rel="self" href="https://x/"/>
<link href="https://old.press/one/"/><updated>2026-10-19T05:00:00Z</updated></entry></feed>"""
RDF = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel><title>Old</title></channel><item><title>One</title><link>https://old.press/one/</link></item></rdf:RDF>"""
JSON = b"""\xef\xbb\xbf{"version": "https://jsonfeed.org/version/1.1", "items": [
{"id": 7, "url": "https://old.press/one/", "title": "One", "date_published": "2026-10-19T08:00:00+03:00"}]}"""
AT = datetime(2026, 10, 19, 5, 0, tzinfo=UTC)


def test_each_format_says_what_readers_know_a_story_by() -> None:
    one, two = read("old.rss", RSS)
    assert (one.name, one.link, one.title, one.at) == ("5f3a", "https://old.press/one/", "One & all", AT)
    assert (two.name, two.title, two.at) == ("https://old.press/two/", "Two", datetime(2026, 10, 20, 8, tzinfo=UTC))
    [atom] = read("old.atom", ATOM)
    assert (atom.name, atom.is_atom, atom.link, atom.at) == ("tag:old.press,2019:1", True, "https://old.press/one/", AT)
    assert [entry.name for entry in read("old.rdf", RDF)] == ["https://old.press/one/"]
    [item] = read("old.json", JSON)
    assert (item.name, item.link, item.at) == ("7", "https://old.press/one/", AT)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "old.xml:"),
        (b"<html><body/></html>", "begins with <html>"),
        (b"<rss><channel><item></rss>", "this is no feed"),
        (b'{"items": 5}', "no JSON Feed"),
        (b"{nonsense", "no JSON Feed"),
    ],
)
def test_what_is_no_feed_is_named(data: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read("old.xml", data)


def test_entities_are_not_expanded_and_nothing_is_fetched() -> None:
    bomb = b"""<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY b "bb">]>
    <rss><channel><item><title>x&a;&b;</title><link>https://old.press/x</link></item></channel></rss>"""
    assert "root" not in read("old.xml", bomb)[0].title
