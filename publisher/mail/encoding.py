"""Text as mail's seven bits: quoted-printable bodies and encoded words in headers.

Both are our own because filling a prepared message must cost microseconds,
and because every line keeps two promises that the standard library does not:
at most 76 octets with the `=` (RFC 2045 §6.7), and no line starts with a dot,
so nothing in a body can ever look like the end of it.
"""

import base64
import re

LINE = 76
_UNSAFE = re.compile(rb"[^ !-<>-~]")
_SAFE_OCTETS = bytes(octet for octet in range(0x20, 0x7F) if octet != 0x3D) + b"\n"
_SOFT_BREAK = b"=\r\n"
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_PLAIN_WORDS = re.compile(r"[!-~]+(?: [!-~]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PLAIN_LINE = re.compile(r"(?!\.|From )[ !-<>-~]{0,74}[!-<>-~]", re.ASCII)
"""A line that is its own encoding."""
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_WORD_OCTETS = 39
"""Octets per encoded word: 52 characters of base64 and 12 of frame fit into 76 beside `Subject: ` (RFC 2047 §2)."""


def quoted_printable(text: str) -> bytes:
    """Returns text, its lines ending in LF, as quoted-printable with CRLF; lone surrogates become `?`."""
    if _PLAIN_LINE.fullmatch(text):
        return text.encode()
    return b"\r\n".join(_quoted_line(line) for line in text.encode("utf-8", "replace").split(b"\n"))


def encoded_size(text: str) -> int:
    """Returns how many octets a text has as quoted-printable, or a few more; fast enough to ask for again and again."""
    octets = text.encode("utf-8", "replace")
    length = len(octets) + 2 * len(octets.translate(None, _SAFE_OCTETS))
    return length + len(_SOFT_BREAK) * (length // (LINE - 3) + 1) + octets.count(b"\n") + 2 * octets.count(b"\n.")


def _quoted_line(line: bytes) -> bytes:
    line = _UNSAFE.sub(lambda match: b"=%02X" % match[0][0], line)
    if line.endswith(b" "):
        line = line[:-1] + b"=20"
    pieces = []
    while True:
        if line.startswith(b"."):
            line = b"=2E" + line[1:]
        elif line.startswith(b"From "):  # mailboxes mangle it, and a signature with it
            line = b"=46" + line[1:]
        if len(line) < LINE:  # a soft break may still follow, before a personal value
            pieces.append(line)
            return _SOFT_BREAK.join(pieces)
        cut = LINE - 1
        if line[cut - 1 : cut] == b"=":
            cut -= 1
        elif line[cut - 2 : cut - 1] == b"=":
            cut -= 2
        pieces.append(line[:cut])
        line = line[cut:]


def one_line(text: str) -> str:
    """Returns text fit for a header: one line, no control characters, no white space around it."""
    return " ".join((text if text.isprintable() else _CONTROLS.sub(" ", text)).split())


def base32(octets: bytes) -> str:
    """Returns octets as small letters and digits without padding (RFC 4648 §6), in a third of the usual time."""
    characters = -(-len(octets) * 8 // 5)
    bits = -(-characters // 2) * 10
    number = int.from_bytes(octets, "big") << bits - len(octets) * 8
    return "".join([_PAIRS[number >> place & 1023] for place in range(bits - 10, -1, -10)])[:characters]


def unstructured(name: str, text: str) -> bytes:
    """Returns a header of free text such as Subject, folded and encoded (RFC 5322 §2.2.1, RFC 2047)."""
    text = one_line(text)
    if _PLAIN_WORDS.fullmatch(text) and "=?" not in text and max(map(len, text.split(" "))) < LINE - len(name) - 2:
        return _folded(name, text.split(" "))
    return _folded(name, _encoded_words(text))


def mailbox(name: str, phrase: str, address: str) -> bytes:
    """Returns a header of one mailbox such as From or To; ValueError: `address` is none that we send to."""
    if not is_sendable(address):
        raise ValueError(f"{address!r} cannot stand in a header")
    phrase = one_line(phrase)
    if not phrase:
        return _folded(name, [address])
    if "=?" not in phrase and _ATOMS.fullmatch(phrase) and max(map(len, phrase.split(" "))) < LINE - len(name) - 2:
        words = phrase.split(" ")
    elif "=?" not in phrase and phrase.isascii() and len(phrase) <= 50:
        words = ['"' + phrase.replace("\\", "\\\\").replace('"', '\\"') + '"']
    else:
        words = _encoded_words(phrase)
    return _folded(name, [*words, f"<{address}>"])


_SENDABLE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def is_sendable(address: str) -> bool:
    """Returns whether an address is plain enough for an SMTP envelope and a header as it stands (RFC 5321 §4.1.2)."""
    return len(address) <= 254 and _SENDABLE.fullmatch(address) is not None and "=?" not in address


def _encoded_words(text: str) -> list[str]:
    words = []
    chunk = b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _WORD_OCTETS:
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return [f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words] if text else []


def _folded(name: str, words: list[str]) -> bytes:
    whole = f"{name}: {' '.join(words)}"
    if len(whole) <= LINE:
        return whole.encode("ascii")
    lines = []
    line = f"{name}:"
    for word in words:
        if len(line) + 1 + len(word) > LINE and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    lines.append(line)
    return "\r\n".join(lines).encode("ascii")
