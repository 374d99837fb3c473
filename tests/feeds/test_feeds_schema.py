"""The grammar of Atom refuses what RFC 4287, RFC 5005 and RFC 6721 refuse, so that what it lets pass says something."""

from datetime import UTC, datetime

import pytest
from feed_samples import AUDIO, IMAGE, feed, full, summary
from lxml import etree

from feed_schema import check_schema
from publisher.feeds import FORMATS
from publisher.model.feed import Departure

GONE = Departure(id="tag:news.example.org,2026-03-08:gone", at=datetime(2026, 3, 9, tzinfo=UTC))
WHOLE = FORMATS["atom"].render(
    feed(summary(), full(id="tag:x.example,2026:a", image=IMAGE, enclosures=(AUDIO,)), departed=(GONE,))
)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"<id>", b"<id/><id>"),
        (b"<title>", b"<name>n</name><title>"),
        (b"<name>Example", b"<uri>x</uri><uri>x</uri><name>Example"),
        (b"+00:00</updated>", b"</updated>"),
        (b"T", b"t"),
        (b'rel="alternate"', b'rel="alter nate"'),
        (b'rel="alternate"', b'ref="alternate"'),
        (b' type="html"', b' type="htm"'),
        (b'type="text/html"', b'type="text"'),
        (b'term="asia-pacific" ', b""),
        (b'length="1234"', b'length="many"'),
        (b'medium="image"', b'medium="picture"'),
        (b' when="', b' at="'),
        (b"at:deleted-entry", b"at:gone"),
        (b"<generator>", b'<made xmlns="">x</made><generator>'),
        (b"<published>", b"<published>2026-03-08T09:30:00Z</published><published>"),
        (b"<subtitle>", b"<subtitle>x</subtitle><subtitle>"),
    ],
)
def test_what_no_feed_may_be(was: bytes, becomes: bytes) -> None:
    """One change makes a valid document invalid."""
    check_schema(etree.fromstring(WHOLE))
    assert was in WHOLE
    with pytest.raises(AssertionError, match="RELAXNG"):
        check_schema(etree.fromstring(WHOLE.replace(was, becomes)))
