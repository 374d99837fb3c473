"""A folder of stories becomes feeds, pages and email digests."""

__version__ = "0.1.0"
