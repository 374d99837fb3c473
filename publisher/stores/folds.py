"""Who got what of issues sent long ago: one blob for each issue and span of subscriber numbers (decisions 2).

So one reader touches one blob of an issue, and who goes through all readers holds those of one range at a time.
"""

import asyncio
import struct
import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.errors import StoreError
from publisher.stores.schema import deliveries, issue_readers, variants

SPAN = 8192
"""Subscriber numbers in one blob; one fits in two octets with room to spare."""
_HEAD = struct.Struct("<H")


def span_of(subscriber: int) -> int:
    """Returns which span a subscriber's number is in."""
    return subscriber // SPAN


def packed(brought: Mapping[int, Collection[int]]) -> bytes:
    """Returns who of one span got which variant as bytes.

    How many variants there are (2 octets), then, by zlib: their numbers (8 each), how many readers each has (2), and
    all readers, by variant and sorted, as places in the span: first the low octets of all of them, then the high ones.
    Everything is little-endian.
    """
    variants = sorted(brought)
    places = array("H", (number % SPAN for variant in variants for number in sorted(brought[variant])))
    octets = _octets(places)
    head = _octets(array("Q", variants)) + _octets(array("H", (len(brought[variant]) for variant in variants)))
    return _HEAD.pack(len(variants)) + zlib.compress(head + octets[0::2] + octets[1::2])


def unpacked(span: int, blob: bytes, wanted: Collection[int] | None = None) -> dict[int, "array[int]"]:
    """Returns what was packed: the sorted numbers of subscribers by variant, of all variants or the `wanted` ones."""
    variants, ends, places = _parts(blob)
    return {
        variant: array("I", map((span * SPAN).__add__, places[start:end]))
        for variant, (start, end) in zip(variants, pairwise([0, *ends]), strict=True)
        if wanted is None or variant in wanted
    }


def variant_of(subscriber: int, blob: bytes) -> int | None:
    """Returns what a subscriber got, as the blob of their span tells."""
    variants, ends, places = _parts(blob)
    try:
        return variants[bisect_right(ends, places.index(subscriber % SPAN))]
    except ValueError:
        return None


def counts_of(blob: bytes) -> dict[int, int]:
    """Returns how many readers of a span got each variant."""
    variants, ends, _ = _parts(blob)
    return {variant: end - start for variant, (start, end) in zip(variants, pairwise([0, *ends]), strict=True)}


async def had(connection: AsyncConnection, subscriber: int, issues: Sequence[int] | None = None) -> dict[int, int]:
    """Returns which variant one person got of each folded issue they had, of some issues or of all."""
    of = issue_readers.c
    query = sa.select(of.issue_id, of.readers).where(of.span == span_of(subscriber)).order_by(of.issue_id)
    if issues is not None:
        query = query.where(of.issue_id.in_(issues))
    blobs = (await connection.execute(query)).all()
    return await asyncio.to_thread(_had, subscriber, blobs)


async def had_between(
    connection: AsyncConnection, issues: Sequence[int], first: int, last: int, wanted: Collection[int]
) -> list[tuple[int, Sequence[int]]]:
    """Returns which subscribers from `first` to `last` got the `wanted` variants, as folded issues tell."""
    of = issue_readers.c
    query = sa.select(of.span, of.readers).where(
        of.issue_id.in_(issues), of.span.between(span_of(first), span_of(last))
    )
    blobs = (await connection.execute(query)).all()
    return await asyncio.to_thread(_between, blobs, first, last, wanted) if blobs else []


def folded(issue: sa.ColumnElement[int] | int) -> sa.ColumnElement[bool]:
    """Whether some of an issue's mails have been folded."""
    return sa.exists().where(issue_readers.c.issue_id == issue)


def unused(issue: int) -> sa.ColumnElement[bool]:
    """Whether a variant is one that nobody got of an issue or is to get; of one that is folded, none."""
    brought = sa.select(deliveries.c.variant_id).distinct().where(deliveries.c.issue_id == issue)
    return sa.and_(variants.c.issue_id == issue, variants.c.id.not_in(brought), ~folded(issue))


def _had(subscriber: int, blobs: Iterable[Any]) -> dict[int, int]:
    found = ((issue, variant_of(subscriber, blob)) for issue, blob in blobs)
    return {issue: variant for issue, variant in found if variant is not None}


def _between(blobs: Iterable[Any], first: int, last: int, wanted: Collection[int]) -> list[tuple[int, Sequence[int]]]:
    found: list[tuple[int, Sequence[int]]] = []
    for span, blob in blobs:
        for variant, numbers in unpacked(span, blob, wanted).items():
            some = numbers[bisect_left(numbers, first) : bisect_right(numbers, last)]
            found += [(variant, some)] if some else []
    return found


def _parts(blob: bytes) -> tuple["array[int]", Sequence[int], "array[int]"]:
    """Returns the variants, where the places of each end, and the places; StoreError: that is not to be read."""
    try:
        (many,) = _HEAD.unpack_from(blob)
        octets = zlib.decompress(memoryview(blob)[_HEAD.size :])
        variants, counts, places = octets[: 8 * many], octets[8 * many : 10 * many], octets[10 * many :]
        half = len(places) // 2
        both = bytearray(len(places))
        both[0::2], both[1::2] = places[:half], places[half:]
        return _values("Q", variants), list(accumulate(_values("H", counts))), _values("H", bytes(both))
    except (zlib.error, struct.error, ValueError) as error:
        raise StoreError(f"what tells who got an old issue is damaged ({error}); restore a backup") from error


def _octets(values: "array[int]") -> bytes:
    return _little_endian(values).tobytes()


def _values(kind: str, octets: bytes) -> "array[int]":
    values = array(kind)
    values.frombytes(octets)
    return _little_endian(values)


def _little_endian(values: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        values.byteswap()
    return values
