"""The lists of other programs: which columns their exports have, and what their words mean here; pure.

docs/people.md has the same as a table, with the places where these names were looked up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_ON = {"true": "confirmed", "false": "unsubscribed"}
_OFF = {"false": "confirmed", "true": "unsubscribed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One program's export. Column names are in lower case; the target of an ignored column is empty."""

    title: str
    signs: frozenset[str]
    """An export is recognised by having all of these columns."""
    columns: Mapping[str, str]
    """Their column → ours; where several have one target, the first that is not empty counts."""
    statuses: Mapping[str, str] = field(default_factory=dict)
    """Their status → ours; `suppressed REASON` for an address that is never mailed."""
    told_by: Mapping[str, str] = field(default_factory=dict)
    """A column that makes the status of every line: an export of those who left has it, one of readers has not."""
    own_fields: bool = False
    """Whether other columns are fields that the publication made for itself: they become attributes."""


def _ignored(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), "")


ORIGINS = (
    Origin(
        title="listmonk",
        signs=frozenset({"uuid", "email", "status", "attributes"}),
        columns={
            "email": "email",
            "name": "name",
            "attributes": "attributes",
            "status": "status",
            "created_at": "consented_at",
            **_ignored("uuid updated_at"),
        },
        statuses={
            "enabled": "confirmed",
            "disabled": "unsubscribed",
            "blocklisted": "suppressed manual",
            "blacklisted": "suppressed manual",
        },
    ),
    Origin(
        title="Mailchimp",
        signs=frozenset({"email address", "optin_time", "confirm_time"}),
        columns={
            "email address": "email",
            "first name": "first_name",
            "last name": "last_name",
            "unsub_time": "consented_at",
            "clean_time": "consented_at",
            "confirm_time": "consented_at",
            "optin_time": "consented_at",
            "unsub_reason": "consent",
            "tags": "attributes.tags",
            **_ignored("member_rating optin_ip confirm_ip latitude longitude gmtoff dstoff timezone cc region"),
            **_ignored("last_changed leid euid notes unsub_campaign_title unsub_campaign_id unsub_reason_other"),
            **_ignored("clean_campaign_title clean_campaign_id email_type"),
        },
        told_by={"unsub_time": "unsubscribed", "clean_time": "suppressed bounce"},
        own_fields=True,
    ),
    Origin(
        title="Ghost",
        signs=frozenset({"email", "subscribed_to_emails", "created_at"}),
        columns={
            "email": "email",
            "name": "name",
            "subscribed_to_emails": "status",
            "created_at": "consented_at",
            "labels": "attributes.labels",
            "tiers": "attributes.tiers",
            "products": "attributes.tiers",
            "complimentary_plan": "attributes.complimentary_plan",
            **_ignored("id note stripe_customer_id deleted_at gift_id"),
        },
        statuses=_ON,
        own_fields=True,
    ),
    Origin(
        title="Substack",
        signs=frozenset({"email", "email_disabled", "expiry"}),
        columns={
            "email": "email",
            "email_disabled": "status",
            "created_at": "consented_at",
            "plan": "attributes.plan",
            "type": "attributes.plan",
            "active_subscription": "attributes.active_subscription",
            "expiry": "attributes.expiry",
            "first_payment_at": "attributes.first_payment_at",
            **_ignored("stripe_connected_customer_id digest_enabled"),
        },
        statuses=_OFF,
    ),
    Origin(
        title="Substack",
        signs=frozenset({"email", "subscription type", "subscription date"}),
        columns={
            "email": "email",
            "name": "name",
            "subscription date": "consented_at",
            "subscription type": "attributes.plan",
            "expires at": "attributes.expiry",
            "first payment at": "attributes.first_payment_at",
        },
    ),
    Origin(
        title="Buttondown",
        signs=frozenset({"email_address", "creation_date", "type"}),
        columns={
            "email_address": "email",
            "type": "status",
            "creation_date": "consented_at",
            "metadata": "attributes",
            "tags": "attributes.tags",
        },
        statuses={
            **dict.fromkeys(("regular", "premium", "gifted", "trialed", "churning", "churned"), "confirmed"),
            **dict.fromkeys(("past_due", "unpaid"), "confirmed"),
            "paused": "paused",
            **dict.fromkeys(("unactivated", "upcoming"), "unconfirmed"),
            **dict.fromkeys(("unsubscribed", "removed"), "unsubscribed"),
            **dict.fromkeys(("blocked", "disabled", "spammy"), "suppressed manual"),
            "complained": "suppressed complaint",
            "undeliverable": "suppressed bounce",
        },
    ),
)
_ALSO_CALLED = {"email": "email_address", "subscriber_type": "type"}
"""What Buttondown called its columns before 2024."""


def origin_of(names: Sequence[str]) -> Origin | None:
    """Returns whose export has these columns (in lower case); None: nobody's whom we know."""
    there = set(names)
    return next((origin for origin in ORIGINS if origin.signs <= there | _renamed(origin, there)), None)


def target_of(origin: Origin, name: str) -> str | None:
    """Returns which of our columns one of theirs is; empty: none; None: it is unknown."""
    if name not in origin.columns:
        name = _ALSO_CALLED.get(name, name)
    return origin.columns.get(name)


def _renamed(origin: Origin, there: set[str]) -> set[str]:
    return {new for old, new in _ALSO_CALLED.items() if old in there and new in origin.columns}
