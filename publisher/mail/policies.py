"""What a domain says in DNS about its mail, as receivers read it: SPF, DKIM, DMARC, MX."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from publisher.model.checkup import Finding, failed, ok, warning

if TYPE_CHECKING:
    from publisher.mail.dkim import Record

_SPF = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_DMARC = re.compile(r"v\s*=\s*DMARC1\s*(?:;|$)")
_LOOKUPS = re.compile(r"[+?~-]?(?:include:|a(?:[:/]|$)|mx(?:[:/]|$)|ptr(?::|$)|exists:)|redirect=", re.IGNORECASE)
_MOST_LOOKUPS = 10
"""A receiver gives up after as many (RFC 7208 §4.6.4)."""
_UNREAL = frozenset({"test", "example", "invalid", "localhost", "local", "localdomain", "internal", "onion"})
_UNREAL_DOMAINS = frozenset({"example.com", "example.net", "example.org"})


def is_unreal(domain: str) -> bool:
    """Returns whether a domain is one for documents and tests (RFC 2606, RFC 6761): no mail reaches it."""
    labels = domain.lower().rstrip(".").split(".")
    return len(labels) < 2 or labels[-1] in _UNREAL or ".".join(labels[-2:]) in _UNREAL_DOMAINS


def spf(domain: str, texts: Sequence[str]) -> Finding:
    """Returns whether a domain says which servers may send for it (RFC 7208 §3.2, §4.5)."""
    about, records = "dns.spf", [text for text in texts if _SPF.match(text)]
    if not records:
        remedy = f'publish what your relay\'s documentation says, such as: {domain}. IN TXT "v=spf1 include:… -all"'
        return warning(about, f"{domain} has no SPF record", remedy)
    if len(records) > 1:
        return failed(about, f"{domain} has {len(records)} SPF records: receivers count none", "join them into one")
    terms = records[0].split()[1:]
    last = next((term.lower() for term in terms if term.lower().lstrip("+?~-") == "all"), "")
    if last in ("all", "+all"):
        return failed(about, f"{domain}: the SPF record lets the whole world send", "end it with -all or ~all")
    lookups = sum(bool(_LOOKUPS.match(term)) for term in terms)
    if lookups > _MOST_LOOKUPS:
        return failed(
            about, f"{domain}: the SPF record needs {lookups} look-ups, receivers make ten", "name fewer servers in it"
        )
    if last in ("-all", "~all") or any(term.lower().startswith("redirect=") for term in terms):
        return ok(about, f"{domain}: {records[0]}")
    return warning(about, f"{domain}: the SPF record does not say who may not send", "end it with -all or ~all")


def dkim(record: "Record", texts: Sequence[str]) -> Finding:
    """Returns whether the key in DNS is the one that mail is signed with (RFC 6376 §3.6.1)."""
    about = "dns.dkim"
    if not texts:
        return failed(about, f"{record.name} is not in DNS: no signature of yours can be verified", _PUBLISH)
    if len(texts) > 1:
        return failed(about, f"{record.name} has {len(texts)} records: which one counts is chance", "keep one")
    if _tags(texts[0]).get("p", "") != _tags(record.value)["p"]:
        return failed(about, f"{record.name} holds another key than the one mail is signed with", _PUBLISH)
    return ok(about, f"{record.name} holds the key that mail is signed with")


_PUBLISH = "publish the record that this prints: publisher dkim show"


def dmarc_names(domain: str) -> list[str]:
    """Returns where a domain's policy may stand, nearest first (RFC 9989 §4.10)."""
    labels = domain.split(".")
    return [f"_dmarc.{'.'.join(labels[at:])}" for at in range(max(1, len(labels) - 1))]


def dmarc_records(texts: Sequence[str]) -> list[str]:
    """Returns those texts that are DMARC records."""
    return [text for text in texts if _DMARC.match(text)]


def dmarc(domain: str, texts: Sequence[str]) -> Finding:
    """Returns whether a domain tells receivers what to do with mail that only claims to be from it (RFC 9989 §4.7)."""
    about, records = "dns.dmarc", dmarc_records(texts)
    if not records:
        remedy = f'large providers ask for one of bulk senders: _dmarc.{domain}. IN TXT "v=DMARC1; p=none"'
        return warning(about, f"{domain} has no DMARC record", remedy)
    if len(records) > 1:
        return failed(about, f"{domain} has {len(records)} DMARC records: receivers count none", "keep one")
    policy = _tags(records[0]).get("p", "none").lower()
    if policy not in ("none", "quarantine", "reject"):
        return failed(about, f"{domain}: the DMARC record says p={policy}", "write p=none, p=quarantine or p=reject")
    return ok(about, f"{domain}: {records[0]}")


def mx(domain: str, exchangers: Sequence[str]) -> Finding:
    """Returns whether a domain that mail is sent from can be answered (RFC 5321 §5.1, RFC 7505)."""
    about = "dns.mx"
    if list(exchangers) == ["."]:
        return failed(
            about, f"{domain} takes no mail at all: receivers refuse what is from it", "choose another sender"
        )
    if not exchangers:
        remedy = "give the domain an MX record, or choose a sender whose mail somebody reads"
        return warning(about, f"{domain} has no mail server: answers and bounces are lost", remedy)
    return ok(about, f"{domain}: mail goes to {', '.join(exchangers)}")


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, _, value in pairs}
