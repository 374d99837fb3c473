"""DKIM signatures: relaxed/relaxed, rsa-sha256 (RFC 6376, RFC 8301), made last, over the bytes that go out.

What all readers of a variant share is canonicalised once, in its `Seal`; per
reader only the personal headers and values are, and one hash goes on from
where the common beginning of the body left it. `l=` is never written: it
would let anybody add to a signed body (§8.2).
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

_BITS = 2048
_MOST_BITS = 4096
"""RFC 8301 §3.2: what every verifier can do."""
_UNSIGNED = frozenset({"auto-submitted", "precedence", "x-auto-response-suppress"})
"""Relays may rightly add or change these, and nobody is harmed (§5.4.1)."""
_OVERSIGNED = (
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "reply-to",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
)
"""Named once more than they occur, so that a second one of any breaks the signature (§5.4, §8.15)."""
_SPACES = re.compile(rb"[ \t]+")
_LINE = 76
_TXT_OCTETS = 255
"""One character-string of a TXT record (RFC 1035 §3.3)."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs in the name of a domain, with the key whose public half stands in DNS under the selector."""

    domain: str
    selector: str
    key: RSAPrivateKey = field(repr=False)

    def seal(self, fixed: Sequence[bytes], own: Iterable[str], body: Sequence[bytes]) -> "Seal":
        """Returns what signs all mails of a variant.

        `fixed`: its headers that are the same for everybody; `own`: the names of the others, in the order in which
        `Seal.sign` gets them; `body`: the pieces between the personal values, each of whole lines, the last
        one not ending in an empty line.
        """
        return Seal(self, fixed, own, body)


class Seal:
    """A variant's signature as far as it is the same for everybody."""

    header = "DKIM-Signature"

    def __init__(self, signer: Signer, fixed: Sequence[bytes], own: Iterable[str], body: Sequence[bytes]) -> None:
        signed = [line for line in fixed if _name(line) not in _UNSIGNED]
        names = [*map(_name, signed), *map(str.lower, own), *_OVERSIGNED]
        self._key = signer.key
        self._begin = (
            f"{self.header}: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d={signer.domain};\r\n s={signer.selector};\r\n"
            f" h={_folded([f'{name}:' for name in names])[:-1]};\r\n"
        ).encode()
        self._head = b"".join(map(relaxed_header, signed))
        first, *rest = map(relaxed_body, body)
        self._hash = hashlib.sha256(first)
        self._rest = rest

    @property
    def size(self) -> int:
        """Returns the octets kept, about."""
        return sum(map(len, self._rest))

    def sign(self, own: Iterable[bytes], values: Iterable[bytes], at: datetime) -> bytes:
        """Returns one mail's DKIM-Signature: `own` its personal headers, `values` what fills its body.

        A value is of whole lines without runs of spaces, as `quoted_printable` makes them of one line of text.
        """
        body_hash = self._hash.copy()
        for value, piece in zip(values, self._rest, strict=True):
            body_hash.update(value)
            body_hash.update(piece)
        digest = base64.b64encode(body_hash.digest())
        line = self._begin + b" t=%d; bh=%s;\r\n b=" % (int(at.timestamp()), digest)
        told = self._head + b"".join(map(relaxed_header, own)) + relaxed_header(line).removesuffix(b"\r\n")
        signature = base64.b64encode(self._key.sign(told, PKCS1v15(), SHA256()))
        step = _LINE - len(" b=")
        return line + b"\r\n ".join(signature[start : start + step] for start in range(0, len(signature), step))


def relaxed_header(line: bytes) -> bytes:
    """Returns a header in its relaxed form, CRLF at its end (RFC 6376 §3.4.2); it holds no controls but line folds."""
    name, _, value = line.partition(b":")
    return name.strip().lower() + b":" + b" ".join(value.split()) + b"\r\n"


def relaxed_body(lines: bytes) -> bytes:
    """Returns whole lines of a body in their relaxed form (RFC 6376 §3.4.4), empty ones at their end kept."""
    return _SPACES.sub(b" ", lines).replace(b" \r\n", b"\r\n")


# Keys and their DNS records -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The TXT record that a key is found by (RFC 6376 §3.6.1)."""

    name: str
    value: str

    @property
    def strings(self) -> list[str]:
        """Returns the value in pieces that a TXT record can hold; who reads it joins them (RFC 6376 §3.6.2.2)."""
        return [self.value[at : at + _TXT_OCTETS] for at in range(0, len(self.value), _TXT_OCTETS)]

    @property
    def zone_lines(self) -> str:
        """Returns the record as a zone file has it (RFC 1035 §5.1)."""
        return f"{self.name}. IN TXT (\n" + "".join(f'    "{string}"\n' for string in self.strings) + ")"


def record(domain: str, selector: str, key: RSAPrivateKey) -> Record:
    """Returns what has to stand in DNS for the signatures of a key to be believed."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Record(
        name=f"{selector}._domainkey.{domain}", value=f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    )


def new_key() -> bytes:
    """Returns a new private key, as PEM."""
    key = generate_private_key(public_exponent=65537, key_size=_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(pem: bytes) -> RSAPrivateKey:
    """Returns the private key in a PEM file; ValueError says why it cannot sign."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ValueError("the key is locked with a password; a service cannot type one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("this is no private key in PEM form") from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("an RSA key is needed: many receivers can check no other")
    if not _BITS <= key.key_size <= _MOST_BITS:
        raise ValueError(f"the key has {key.key_size} bits; receivers trust {_BITS} to {_MOST_BITS} (RFC 8301 §3.2)")
    return key


def _name(line: bytes) -> str:
    return line.partition(b":")[0].decode("ascii").lower()


def _folded(words: Iterable[str]) -> str:
    """Returns words one behind the other, broken between two of them where a line would be too long."""
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > _LINE - len(" h=;"):
            lines.append("")
        lines[-1] += word
    return "\r\n ".join(lines)
