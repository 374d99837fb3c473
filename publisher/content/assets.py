"""Where the files beside stories are published."""

import hashlib
import hmac
from urllib.parse import quote


def asset_path(key: bytes, source: str) -> str:
    """Returns the public address of a file beside a story: unguessable, as the story may be for few (decisions 11)."""
    secret = hmac.new(key, f"asset {source}".encode(), hashlib.sha256).hexdigest()[:24]
    return f"/media/{secret}/{quote(source.rpartition('/')[2])}"
