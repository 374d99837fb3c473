"""Every table, once, for SQLite and PostgreSQL alike; docs/ledger.md tells what they mean.

Rules that hold everywhere: times are integers, microseconds since 1970 UTC
(exact, ordered and the same in both databases); unique keys carry the
promises (one slot, one issue per slot, one delivery per person); a state
changes only by an UPDATE that names the state it expects.
"""

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Moment = sa.BigInteger
"""Microseconds since 1970-01-01T00:00:00Z."""
Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only in an INTEGER PRIMARY KEY."""


def _key() -> sa.Column[int]:
    return sa.Column("id", Key, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, Key, sa.ForeignKey(f"{target}.id", ondelete="CASCADE"), nullable=nullable)


# A number that is gone is not given again: tokens name people and sign-ups by it, and so do compacted issues.
# A sequence of PostgreSQL does so by itself.
_NEVER_AGAIN: dict[str, Any] = {"sqlite_autoincrement": True}

# What this installation is --------------------------------------------------------------------------------------------

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

boots = sa.Table(
    "boots",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("home", sa.Text, nullable=False, server_default=""),  # `owner.home` of the folder it runs
    sa.Column("seen_at", Moment),  # when it last said that it lives, by the database's clock
)

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", Moment, nullable=False),  # by the database's clock
)

# Articles -------------------------------------------------------------------------------------------------------------

articles = sa.Table(
    "articles",
    metadata,
    _key(),
    sa.Column("uri", sa.Text, nullable=False, unique=True),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("first_seen_at", Moment, nullable=False),
    sa.Column("first_published_at", Moment),
    sa.Column("public_at", Moment),  # when the public first knew of it: what never was public leaves no trace
    sa.Column("gone_at", Moment),
    sa.Index("ix_articles_first_published_at", "first_published_at"),
)

article_versions = sa.Table(
    "article_versions",
    metadata,
    _ref("article_id", "articles"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("revised_at", Moment, nullable=False),
    sa.Column("story", sa.LargeBinary, nullable=False),  # the Article as JSON, without its body
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("recalls", sa.Boolean, nullable=False, default=False),  # mail that holds an earlier version is stale
    sa.PrimaryKeyConstraint("article_id", "version"),
    sa.Index("ix_article_versions_change_revised_at", "change", "revised_at"),
)

# The snapshot of the folder: what was read from which file, so that only what changed is read again.
files = sa.Table(
    "files",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("ctime_ns", sa.BigInteger, nullable=False),
    sa.Column("inode", sa.BigInteger, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    _ref("article_id", "articles", nullable=True),
    sa.Column("problems", sa.LargeBinary, nullable=False),  # JSON list of Problem, refusals and warnings
    sa.Column("assets", sa.LargeBinary, nullable=False),  # JSON list of files the story refers to
    sa.Index("ix_files_article_id", "article_id"),
)

redirects = sa.Table(
    "redirects",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),
    _ref("article_id", "articles"),
)

# What stands in public/, so that nothing is written twice.
outputs = sa.Table(
    "outputs",
    metadata,
    sa.Column("home", sa.Text, primary_key=True),  # whose public/ it stands in; empty where there is just one
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),  # of everything the bytes were made from
    sa.Column("content_hash", sa.Text, nullable=False),
)

# Which stories an archive document of a feed holds: said once, as what is fetched once is never looked at again.
feed_archives = sa.Table(
    "feed_archives",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),  # its address below /feeds/, without extension
    sa.Column("page", sa.Integer, primary_key=True),
    sa.Column("stories", sa.Text, nullable=False),  # JSON: numbers, the newest first
)

# What hubs were told of: a feed whose bytes are others now is still to be announced.
announcements = sa.Table(
    "announcements",
    metadata,
    sa.Column("hub", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("content_hash", sa.Text, nullable=False),
)

# People ---------------------------------------------------------------------------------------------------------------

subscribers = sa.Table(
    "subscribers",
    metadata,
    _key(),
    sa.Column("address", sa.Text, nullable=False),  # as given; mail goes here
    sa.Column("address_key", sa.Text, nullable=False, unique=True),  # compared: lower case, IDNA
    sa.Column("name", sa.Text, nullable=False, default=""),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text),
    sa.Column("token_generation", sa.Integer, nullable=False, default=1),
    sa.Column("token_hash", sa.Text, unique=True),
    sa.Column("old_token_hash", sa.Text),
    sa.Column("old_token_until", Moment),
    sa.Column("attributes", sa.Text, nullable=False, default="{}"),  # JSON object with plain keys
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("moved_at", Moment),  # when the address was last changed: earlier mail went to another one
    sa.Index("ix_subscribers_old_token_hash", "old_token_hash"),
    **_NEVER_AGAIN,
)

# Readers' choices, interned: many people, few different wishes (decisions 7). Empty lists mean all.
profiles = sa.Table(
    "profiles",
    metadata,
    _key(),
    sa.Column("choices", sa.Text, nullable=False, unique=True),  # canonical JSON (people_rows.choices_text)
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    _key(),
    _ref("subscriber_id", "subscribers"),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("cadence", sa.Text),  # the reader's own rhythm; NULL: the newsletter's
    sa.Column("timezone", sa.Text),
    _ref("profile_id", "profiles", nullable=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("confirmed_at", Moment),
    sa.Column("unsubscribed_at", Moment),
    sa.Column("paused_at", Moment),
    sa.Column("paused_until", Moment),
    sa.Column("pending_since", Moment),  # after a change of rhythm or a pause; NULL: as confirmed_at says
    # `rhythm|zone`, the reader's own or else the person's, '' where it is the newsletter's: kept beside what it is made
    # of, so that an index tells which clocks there are (stores.clocks).
    sa.Column("clock", sa.Text, nullable=False, default="|", server_default="|"),
    sa.UniqueConstraint("subscriber_id", "newsletter"),
    sa.Index("ix_subscriptions_newsletter_status", "newsletter", "status", "subscriber_id"),
    sa.Index("ix_subscriptions_newsletter_status_clock", "newsletter", "status", "clock", "subscriber_id"),
)

# One filled-in sign-up form: what the link in the confirmation mail confirms. Or the wish of somebody to move to this
# subscriber's address: `moves_from` names them, and both have to agree.
signups = sa.Table(
    "signups",
    metadata,
    _key(),
    _ref("subscriber_id", "subscribers"),
    sa.Column("newsletters", sa.Text, nullable=False),  # JSON list
    sa.Column("requested_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
    sa.Column("network", sa.Text, nullable=False, default=""),  # truncated; what rates are limited by
    sa.Column("repeats", sa.Integer, nullable=False, default=0),  # forms that came while its mail was still fresh
    sa.Column("reminded_at", Moment),
    _ref("moves_from", "subscribers", nullable=True),
    sa.Column("agreed_at", Moment),  # when the one who moves agreed, at the old address; used_at: at the new one
    sa.Index("ix_signups_subscriber_id", "subscriber_id"),
    sa.Index("ix_signups_moves_from", "moves_from"),
    sa.Index("ix_signups_network_requested_at", "network", "requested_at"),
    sa.Index("ix_signups_requested_at", "requested_at"),
    **_NEVER_AGAIN,
)

# Mails that asked an address for its consent: what the rates per address are counted by, also when the form's row and
# its person are no more (security S1).
confirmation_mails = sa.Table(
    "confirmation_mails",
    metadata,
    _key(),
    sa.Column("address_hash", sa.Text, nullable=False),  # HMAC(key, address_key)
    sa.Column("at", Moment, nullable=False),
    sa.Index("ix_confirmation_mails_address_hash_at", "address_hash", "at"),
    sa.Index("ix_confirmation_mails_at", "at"),
)

# Fresh links, mailed on request: for a while they open what an old mail must not (security S4).
account_links = sa.Table(
    "account_links",
    metadata,
    _key(),
    _ref("subscriber_id", "subscribers"),
    sa.Column("requested_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Index("ix_account_links_subscriber_id", "subscriber_id"),
    **_NEVER_AGAIN,
)

# Evidence: when, how and in which words somebody said yes or no. Never changed, only added to.
consents = sa.Table(
    "consents",
    metadata,
    _key(),
    _ref("subscriber_id", "subscribers"),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),  # requested, confirmed, imported, added, moved, unsubscribed
    sa.Column("at", Moment, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),  # web, one-click, command, import FILE
    sa.Column("evidence", sa.Text, nullable=False, default=""),  # truncated network, user agent, wording
    sa.Column("given_at", Moment),  # when it was said, where that was long before: imports
    sa.Index("ix_consents_subscriber_id", "subscriber_id"),
)

licences = sa.Table(
    "licences",
    metadata,
    _key(),
    _ref("subscriber_id", "subscribers"),
    sa.Column("product", sa.Text, nullable=False),  # a product's id, or * for all
    sa.Column("active", sa.Boolean, nullable=False, default=True),
    sa.Column("valid_from", Moment),
    sa.Column("valid_until", Moment),
    sa.Column("archive_days", sa.Integer),
    sa.Column("embargo_cleared", sa.Boolean, nullable=False, default=False),
    sa.Column("origin", sa.Text, nullable=False),  # newsletter ID, command, import
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("subscriber_id", "product"),
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("address_hash", sa.Text, primary_key=True),  # HMAC(key, address_key): survives erasure
    sa.Column("address", sa.Text),  # the address_key; NULL once erased
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Index("ix_suppressions_address", "address"),
)

# Slots, issues, variants ----------------------------------------------------------------------------------------------

cohorts = sa.Table(
    "cohorts",
    metadata,
    _key(),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("cadence", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("newsletter", "cadence", "timezone"),
)

slots = sa.Table(
    "slots",
    metadata,
    _key(),
    _ref("cohort_id", "cohorts"),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("due_at", Moment, nullable=False),
    sa.Column("granted_at", Moment, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.UniqueConstraint("cohort_id", "period"),
    sa.Index("ix_slots_cohort_id_due_at", "cohort_id", "due_at"),
)

issues = sa.Table(
    "issues",
    metadata,
    _key(),
    sa.Column("kind", sa.Text, nullable=False),  # digest, notice, message
    sa.Column("newsletter", sa.Text),  # NULL for service mail
    sa.Column("edition", sa.Integer),  # 1, 2, 3 … within the newsletter; given when there is something to send
    _ref("slot_id", "slots", nullable=True),
    sa.Column("event", sa.Text, unique=True),  # what a notice or message is about: one issue per event
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, default=""),
    sa.Column("window_from", Moment),  # stories first published in (from, until] were looked at
    sa.Column("window_until", Moment),
    sa.Column("planned_at", Moment, nullable=False),
    sa.Column("sending_at", Moment),  # when its first delivery was claimed; patience is counted from here
    sa.Column("finished_at", Moment),
    sa.Column("expected", sa.Integer, nullable=False, default=0),
    sa.Column("sandbox", sa.Boolean, nullable=False, default=False),
    sa.Column("on_web", sa.Boolean, nullable=False, default=False),  # planned on its newsletter's own clock
    sa.Column("hold_reasons", sa.Text, nullable=False, default="[]"),
    sa.Column("stop_reason", sa.Text),  # `code: sentence`
    sa.Column("released_at", Moment),  # when it was last let go by hand: alarms count from here
    sa.Column("bounce_standing", sa.Text),  # too many hard bounces: quarantined, approved, dismissed
    sa.UniqueConstraint("newsletter", "edition"),
    sa.UniqueConstraint("slot_id"),
    sa.Index("ix_issues_state", "state"),
    sa.Index("ix_issues_on_web", "on_web"),
)

variants = sa.Table(
    "variants",
    metadata,
    _key(),
    _ref("issue_id", "issues"),
    sa.Column("outcome", sa.Text, nullable=False),  # hash of language, form and stories: the same outcome, once
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("form", sa.Text, nullable=False),
    sa.Column("stale", sa.Boolean, nullable=False, default=False),
    sa.Column("newsletter", sa.Text),  # of a notice: what its readers can leave; NULL: nothing, or the issue's own
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("preheader", sa.Text, nullable=False),
    sa.Column("html", sa.LargeBinary, nullable=False),  # zlib, with markers for what is personal
    sa.Column("text", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("issue_id", "outcome"),
)

variant_stories = sa.Table(
    "variant_stories",
    metadata,
    _ref("variant_id", "variants"),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("article_id", Key, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("depth", sa.Text, nullable=False),
    sa.Column("mention", sa.Text, nullable=False),  # model.issue.Mention
    sa.PrimaryKeyConstraint("variant_id", "position"),
    sa.Index("ix_variant_stories_article_id", "article_id"),
)

# Finished issues, compacted: which of the subscribers with numbers of a span got which variant (stores.folds). What its
# blobs say of variants outlives no issue, and a variant that somebody got stays as long as its issue.
issue_readers = sa.Table(
    "issue_readers",
    metadata,
    _ref("issue_id", "issues"),
    sa.Column("span", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),  # of readers in it
    sa.Column("readers", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("issue_id", "span"),
    sa.Index("ix_issue_readers_span", "span"),
)

# Deliveries -----------------------------------------------------------------------------------------------------------

deliveries = sa.Table(
    "deliveries",
    metadata,
    _key(),
    # No foreign keys: to look both up for each of a million rows costs half of what the rows do. Neither is deleted
    # while a row names it, which is looked at under the planning lock (issues, notices, revisions).
    sa.Column("issue_id", Key, nullable=False),
    _ref("subscriber_id", "subscribers"),
    sa.Column("variant_id", Key, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("next_at", Moment, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("refusals", sa.Integer, nullable=False, default=0),  # 5xx that do not speak of the recipient
    sa.Column("boot_id", sa.Text),
    sa.Column("lease_until", Moment),
    sa.Column("resends", sa.Integer, nullable=False, default=0),  # after an uncertain end; at most one
    sa.Column("decided_at", Moment),  # what it brings; NULL: when planned; 0: to be decided anew
    sa.Column("in_flight_at", Moment),
    sa.Column("ended_at", Moment),  # terminal, or uncertain
    sa.Column("reply_phase", sa.Text),
    sa.Column("reply_code", sa.Integer),
    sa.Column("reply_text", sa.Text),
    sa.Column("reason", sa.Text),  # why suppressed, expired, cancelled
    sa.UniqueConstraint("issue_id", "subscriber_id"),
    sa.Index("ix_deliveries_state_next_at", "state", "next_at"),
    sa.Index("ix_deliveries_issue_id_state_next_at", "issue_id", "state", "next_at"),
    sa.Index("ix_deliveries_subscriber_id", "subscriber_id"),
)

# What came back later: bounces, complaints; never changes an accepted row. One of a kind per delivery, however often
# and by however many ways a report of it arrives.
delivery_events = sa.Table(
    "delivery_events",
    metadata,
    _key(),
    _ref("delivery_id", "deliveries"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("status", sa.Text, nullable=False, default=""),
    sa.Column("detail", sa.Text, nullable=False, default=""),
    sa.Column("counts", sa.Boolean, nullable=False, default=True),  # false once the operator let the address be mailed
    sa.UniqueConstraint("delivery_id", "kind"),
    sa.Index("ix_delivery_events_kind", "kind"),
)

# What came into the mailbox for reports, counted; most of it proves nothing and is kept nowhere else.
report_tallies = sa.Table(
    "report_tallies",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # a kind of event, or: nothing, unproven, unreadable
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("last_at", Moment, nullable=False),
)

# Relays that are left alone, over all processes; one that is well has no row.
relays = sa.Table(
    "relays",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # host:port
    sa.Column("open_until", Moment, nullable=False),
    sa.Column("trips", sa.Integer, nullable=False),  # in a row
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("probe_until", Moment, nullable=False, default=0),  # somebody is trying whether it is back
)

# The next place of each limited rate (mail.throttle), shared by all processes: of all mail (""), and of each domain.
lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("free_at", Moment, nullable=False),
    sa.Column("tail_at", Moment, nullable=False),
)

# `publisher send` beside a running service: the wish, and the issue that came of it (decisions 16).
send_requests = sa.Table(
    "send_requests",
    metadata,
    _key(),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False, default="{}"),
    sa.Column("requested_at", Moment, nullable=False),
    sa.Column("taken_at", Moment),
    _ref("issue_id", "issues", nullable=True),
    sa.Column("answer", sa.Text),  # JSON: held reasons, or nothing to send
)
