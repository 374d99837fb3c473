"""The small language in which people are picked: `language = tr and attributes.plan in (gold, silver)`."""

from publisher.segments.attributes import merged, parse_attribute, plain_key
from publisher.segments.parser import parse_condition
from publisher.segments.vocabulary import Vocabulary

__all__ = ["Vocabulary", "merged", "parse_attribute", "parse_condition", "plain_key"]
