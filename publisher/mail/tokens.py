"""Signed tokens: who may unsubscribe, confirm, change preferences or read a private feed, without a login.

A token names its purpose in its key, so one made for one purpose is never
valid for another. None holds an address; none has an end of its own: what
ends (a sign-up, a feed address) ends in the store.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from urllib.parse import quote

from publisher.mail.encoding import base32

_VERSION = "v1"
_UNSUBSCRIBE = "unsubscribe"
_CONFIRM = "confirm"
_PREFERENCES = "preferences"
_ACCOUNT = "account"
_MOVE = "move"
_FEED = "feed"
_OLD, _NEW = "old", "new"
_READ = "read"
_ADDRESS = "address"
_FORM = "form"
_RETURN = "return path"
_RETURN_MASK = "return path mask"
_LONGEST = 512
_RETURN_OCTETS = 10
"""Of what a return path speaks of, and as many of its signature."""
_RETURN_TOKEN = re.compile(r"(?<![a-z2-7])[a-z2-7]{32}(?![a-z2-7])")
_RETURN_TRIES = 20


@dataclass(frozen=True, slots=True)
class UnsubscribeToken:
    """What an unsubscribe link speaks of."""

    subscriber: int
    newsletter: str


@dataclass(frozen=True, slots=True)
class MoveToken:
    """Which change of address a link speaks of, and to which of its two ends it was mailed."""

    signup: int
    new_end: bool


@dataclass(frozen=True, slots=True)
class ReturnToken:
    """Which delivery a signed return path speaks of."""

    issue: int
    subscriber: int


@dataclass(frozen=True, slots=True)
class ReadToken:
    """Whose page of which issue a link leads to."""

    issue: int
    subscriber: int


class Tokens:
    """Makes and reads tokens under the publication's key; tokens of `previous` keys are still read."""

    def __init__(self, key: bytes, previous: Sequence[bytes] = ()) -> None:
        if len(key) < 32:
            raise ValueError("a key of at least 32 bytes is needed")
        self._key = key
        self._keys = {_key_id(old): old for old in (*previous, key)}

    def unsubscribe(self, subscriber: int, newsletter: str) -> str:
        """Returns the token that takes one person off one newsletter, as often as it is used, for ever."""
        return self._signed(_UNSUBSCRIBE, f"{subscriber} {newsletter}")

    def read_unsubscribe(self, token: str) -> UnsubscribeToken | None:
        """Returns what `unsubscribe` signed, None for anything else."""
        claim = self._verified(_UNSUBSCRIBE, token)
        if claim is None:
            return None
        subscriber, _, newsletter = claim.partition(" ")
        return UnsubscribeToken(int(subscriber), newsletter)

    def confirm(self, signup: int) -> str:
        """Returns the token that confirms one sign-up; the store knows until when."""
        return self._signed(_CONFIRM, str(signup))

    def read_confirm(self, token: str) -> int | None:
        """Returns the sign-up that `confirm` signed, None for anything else."""
        return _number(self._verified(_CONFIRM, token))

    def preferences(self, subscriber: int) -> str:
        """Returns the token that lets one person change what they get."""
        return self._signed(_PREFERENCES, str(subscriber))

    def read_preferences(self, token: str) -> int | None:
        """Returns the subscriber that `preferences` signed, None for anything else."""
        return _number(self._verified(_PREFERENCES, token))

    def account(self, link: int) -> str:
        """Returns the token of a fresh link; the store knows until when."""
        return self._signed(_ACCOUNT, str(link))

    def read_account(self, token: str) -> int | None:
        """Returns the fresh link that `account` signed, None for anything else."""
        return _number(self._verified(_ACCOUNT, token))

    def move(self, signup: int, *, new_end: bool) -> str:
        """Returns the token by which one end of a change of address answers; the store knows until when."""
        return self._signed(_MOVE, f"{signup} {_NEW if new_end else _OLD}")

    def read_move(self, token: str) -> MoveToken | None:
        """Returns what `move` signed, None for anything else."""
        claim = self._verified(_MOVE, token)
        if claim is None:
            return None
        signup, _, end = claim.partition(" ")
        return MoveToken(int(signup), end == _NEW)

    def read(self, issue: int, subscriber: int) -> str:
        """Returns the token of one person's page of an issue; what stands there is decided when it is asked for."""
        return self._signed(_READ, f"{issue} {subscriber}")

    def read_read(self, token: str) -> ReadToken | None:
        """Returns what `read` signed, None for anything else."""
        claim = self._verified(_READ, token)
        if claim is None:
            return None
        issue, _, subscriber = claim.partition(" ")
        return ReadToken(int(issue), int(subscriber))

    def feed(self, subscriber: int, generation: int) -> str:
        """Returns the private part of a subscriber's feed addresses: 256 bits, not to be told from random ones."""
        return _encoded(_mac(self._key, _FEED, f"{subscriber} {generation}".encode()))

    def feed_hash(self, subscriber: int, generation: int) -> str:
        """Returns `hash_of` the feed token: what the store keeps of it."""
        return hash_of(self.feed(subscriber, generation))

    def return_path(self, issue: int, subscriber: int) -> str:
        """Returns the token of one delivery's return path: 32 letters and digits that survive a change of case.

        Without the key it tells neither number, and no other token can be made of it.
        """
        claim = issue.to_bytes(5, "big") + subscriber.to_bytes(5, "big")
        return base32(_sealed(self._key, claim))

    def read_return_path(self, text: str) -> ReturnToken | None:
        """Returns the delivery of the first token of ours in an address or envelope id; None when there is none."""
        for match in islice(_RETURN_TOKEN.finditer(text.lower()), _RETURN_TRIES):
            sealed = base64.b32decode(match[0].upper())
            for key in self._keys.values():
                claim = _unsealed(key, sealed)
                if claim is not None:
                    return ReturnToken(int.from_bytes(claim[:5], "big"), int.from_bytes(claim[5:], "big"))
        return None

    def address_hash(self, address_key: str) -> str:
        """Returns what stays of an address after erasure: enough to know it again, not to tell it."""
        return _mac(self._key, _ADDRESS, address_key.encode()).hex()

    def form_key(self) -> bytes:
        """Returns the key that the forms of the public pages are signed with."""
        return _derived(self._key, _FORM)

    def _signed(self, purpose: str, claim: str) -> str:
        head = f"{_VERSION}.{_key_id(self._key)}.{_encoded(claim.encode())}"
        return f"{head}.{_encoded(_mac(self._key, purpose, head.encode()))}"

    def _verified(self, purpose: str, token: str) -> str | None:
        head, _, mac = token.rpartition(".")
        parts = head.split(".")
        if len(token) > _LONGEST or len(parts) != 3 or parts[0] != _VERSION:
            return None
        key = self._keys.get(parts[1])
        if key is None or not hmac.compare_digest(_encoded(_mac(key, purpose, head.encode())).encode(), mac.encode()):
            return None
        try:
            return base64.urlsafe_b64decode(parts[2] + "==").decode()
        except (binascii.Error, UnicodeDecodeError):
            return None


class Links:
    """The absolute addresses with tokens in them that a mail or page may hold."""

    def __init__(self, site_url: str, tokens: Tokens, unsubscribe_address: str = "") -> None:
        """`unsubscribe_address` is where mail that unsubscribes is read; empty: nowhere."""
        self._site_url = site_url.rstrip("/")
        self._tokens = tokens
        self._unsubscribe_address = unsubscribe_address

    def unsubscribe_url(self, subscriber: int, newsletter: str) -> str:
        """Returns where one person leaves one newsletter, also by one click (RFC 8058)."""
        return f"{self._site_url}/unsubscribe/{self._tokens.unsubscribe(subscriber, newsletter)}"

    def unsubscribe_mailto(self, subscriber: int, newsletter: str) -> str | None:
        """Returns the same for mail programs that write a mail instead (RFC 6068); None where nobody would read it."""
        if not self._unsubscribe_address:
            return None
        subject = quote(f"unsubscribe {self._tokens.unsubscribe(subscriber, newsletter)}", safe="")
        return f"mailto:{quote(self._unsubscribe_address, safe='@')}?subject={subject}"

    def preferences_url(self, subscriber: int) -> str:
        """Returns where one person chooses what to get."""
        return f"{self._site_url}/preferences/{self._tokens.preferences(subscriber)}"

    def read_url(self, issue: int, subscriber: int) -> str:
        """Returns where one person reads an issue in full."""
        return f"{self._site_url}/read/{self._tokens.read(issue, subscriber)}/"

    def feed_url(self, subscriber: int, generation: int) -> str:
        """Returns the folder of a person's private feeds; `all.atom` and its siblings are in it."""
        return self.feed_folder(self._tokens.feed(subscriber, generation))

    def feed_folder(self, token: str) -> str:
        """Returns the same by the token itself."""
        return f"{self._site_url}/u/{token}/"

    def front_url(self) -> str:
        """Returns the front page, which needs no token."""
        return f"{self._site_url}/"

    def confirm_url(self, signup: int) -> str:
        """Returns where a sign-up is confirmed."""
        return f"{self._site_url}/confirm/{self._tokens.confirm(signup)}"

    def account_url(self, link: int) -> str:
        """Returns where a fresh link leads: address, private feeds, export, erasure."""
        return f"{self._site_url}/account/{self._tokens.account(link)}"

    def move_url(self, signup: int, *, new_end: bool) -> str:
        """Returns where one end of a change of address says yes or no to it."""
        return f"{self._site_url}/address/{self._tokens.move(signup, new_end=new_end)}"


class ReturnPath:
    """Where reports about mail come back to: an address with a signed token per delivery (VERP), or the sender's."""

    def __init__(self, address: str, tokens: Tokens) -> None:
        """`address`: whose mailbox gets the reports; empty: the sender of each mail does."""
        self._address = address
        self._tokens = tokens

    def plain(self, sender: str) -> str:
        """Returns the envelope sender of mail that is nobody's delivery."""
        return self._address or sender

    def of(self, issue: int, subscriber: int, sender: str) -> str:
        """Returns the envelope sender of one delivery, the same on every attempt; it names no reader."""
        if not self._address:
            return sender
        local, _, domain = self._address.rpartition("@")
        return f"{local}+{self.envelope_id(issue, subscriber)}@{domain}"

    def envelope_id(self, issue: int, subscriber: int) -> str:
        """Returns the token itself, which relays that offer DSN return as Original-Envelope-Id (RFC 3461 §4.4)."""
        return self._tokens.return_path(issue, subscriber)


def hash_of(token: str) -> str:
    """Returns SHA-256 (hex) of a token: whoever reads the store cannot use it."""
    return hashlib.sha256(token.encode()).hexdigest()


@lru_cache(maxsize=64)
def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"publisher {purpose}".encode(), "sha256")


@lru_cache(maxsize=64)
def _keyed(key: bytes, purpose: str) -> hmac.HMAC:
    """Returns what a purpose signs with; a copy of it costs half of a new one."""
    return hmac.new(_derived(key, purpose), digestmod="sha256")


@lru_cache(maxsize=64)
def _key_id(key: bytes) -> str:
    return _derived(key, "id").hex()[:6]


def _mac(key: bytes, purpose: str, told: bytes) -> bytes:
    signing = _keyed(key, purpose).copy()
    signing.update(told)
    return signing.digest()


def _sealed(key: bytes, claim: bytes) -> bytes:
    """Returns the claim hidden under its own signature, with that signature: the same claim is the same token."""
    mac = _mac(key, _RETURN, claim)[:_RETURN_OCTETS]
    return _masked(key, mac, claim) + mac


def _unsealed(key: bytes, sealed: bytes) -> bytes | None:
    masked, mac = sealed[:_RETURN_OCTETS], sealed[_RETURN_OCTETS:]
    claim = _masked(key, mac, masked)
    return claim if hmac.compare_digest(_sealed(key, claim), sealed) else None


def _masked(key: bytes, mac: bytes, claim: bytes) -> bytes:
    mask = _mac(key, _RETURN_MASK, mac)[: len(claim)]
    return (int.from_bytes(claim, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(claim), "big")


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _number(claim: str | None) -> int | None:
    return None if claim is None else int(claim)
