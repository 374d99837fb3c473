"""Who got what of issues sent long ago, by issue and span of subscribers: so far it was by variant, all readers in one.

Revision ID: 0018
"""

import struct
import sys
import zlib
from array import array
from itertools import accumulate

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SPAN = 8192
"""Subscribers in one blob; as `stores.folds` has it."""


def upgrade() -> None:
    made = op.create_table(
        "issue_readers",
        sa.Column("issue_id", KEY, nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("readers", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_issue_readers_issue_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issue_id", "span", name=op.f("pk_issue_readers")),
    )
    op.create_index("ix_issue_readers_span", "issue_readers", ["span"])
    variants = sa.table("variants", sa.column("id"), sa.column("issue_id"))
    before = sa.table("variant_readers", sa.column("variant_id"), sa.column("readers", sa.LargeBinary))
    connection = op.get_bind()
    of_issues = sa.select(variants.c.issue_id).join(before, before.c.variant_id == variants.c.id).distinct()
    for issue in connection.scalars(of_issues).all():
        blobs = sa.select(before).join(variants, variants.c.id == before.c.variant_id)
        spans: dict[int, dict[int, list[int]]] = {}
        for variant, blob in connection.execute(blobs.where(variants.c.issue_id == issue)):
            for reader in _unpacked(blob):
                spans.setdefault(reader // _SPAN, {}).setdefault(variant, []).append(reader % _SPAN)
        rows = [
            {"issue_id": issue, "span": span, "number": sum(map(len, some.values())), "readers": _packed(some)}
            for span, some in sorted(spans.items())
        ]
        if rows:
            connection.execute(sa.insert(made), rows)
    op.drop_table("variant_readers")


def _unpacked(blob: bytes) -> "accumulate[int]":
    """Returns subscribers: how many (8 octets, little-endian), then zlib of their differences."""
    return accumulate(_swapped(array("Q", zlib.decompress(blob[8:]))))


def _packed(brought: dict[int, list[int]]) -> bytes:
    """Returns the form that `stores.folds` tells of."""
    variants = sorted(brought)
    places = _swapped(array("H", (place for variant in variants for place in brought[variant]))).tobytes()
    counts = _swapped(array("H", (len(brought[variant]) for variant in variants))).tobytes()
    head = _swapped(array("Q", variants)).tobytes() + counts
    return struct.pack("<H", len(variants)) + zlib.compress(head + places[0::2] + places[1::2])


def _swapped(values: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        values.byteswap()
    return values
