"""Every Atom document by RELAX NG: what RFC 4287 says, written down in `atom.rng`."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree

from publisher.feeds import atom
from publisher.model.feed import Feed

_made = atom.render


@lru_cache(maxsize=1)
def _schema() -> Any:
    return etree.RelaxNG(etree.parse(Path(__file__).with_name("atom.rng")))


def check_schema(root: Any) -> None:
    """Asserts that a document is what the grammar allows, or says where it is not."""
    schema = _schema()
    assert schema.validate(root), schema.error_log


def checked(feed: Feed) -> bytes:
    """Returns a feed as Atom, which must be valid: `conftest` puts it in the place of the renderer."""
    document = _made(feed)
    check_schema(etree.fromstring(document))
    return document
