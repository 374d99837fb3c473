"""What a look at the installation finds, and what is to be done about it."""

import enum
from dataclasses import dataclass
from datetime import datetime


class Verdict(enum.StrEnum):
    """How one thing stands."""

    OK = "ok"
    WARNING = "warning"
    """Works, but readers or their mail providers will notice."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not looked at, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    about: str
    """`smtp`, `dns.spf`, `address` …"""
    verdict: Verdict
    says: str
    remedy: str = ""
    """What to do; empty where there is nothing to do."""

    @property
    def blocks(self) -> bool:
        """Returns whether a publication must not go to real people like this."""
        return self.verdict is Verdict.FAILED


def ok(about: str, says: str) -> Finding:
    """Returns that something is as it should be."""
    return Finding(about=about, verdict=Verdict.OK, says=says)


def warning(about: str, says: str, remedy: str) -> Finding:
    """Returns that something works, but not well."""
    return Finding(about=about, verdict=Verdict.WARNING, says=says, remedy=remedy)


def failed(about: str, says: str, remedy: str) -> Finding:
    """Returns that something does not work."""
    return Finding(about=about, verdict=Verdict.FAILED, says=says, remedy=remedy)


def skipped(about: str, says: str) -> Finding:
    """Returns that something was not looked at."""
    return Finding(about=about, verdict=Verdict.SKIPPED, says=says)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAnswer:
    """What a relay says of itself to who has logged in."""

    size_limit: int | None
    """Octets of a message; 0: it does not say how many, None: it does not offer SIZE."""
    pipelining: bool
    reports: bool
    """Whether it can be asked what to report of a mail (RFC 3461)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAnswer:
    """What a web address answers."""

    status: int
    body: bytes
    location: str = ""
    at: datetime | None = None
    """The server's time."""
