"""Bytes to characters, and which characters a text may hold."""

import re
import unicodedata

from publisher.errors import RefusedError
from publisher.model.files import ARTICLE_BYTES
from publisher.model.personal import CLOSE, OPEN

_BOM = b"\xef\xbb\xbf"
# Bytes are looked over in a fraction of the time that a pattern takes.
_CONTROL_BYTES = bytes(code for code in range(32) if code not in b"\t\n\r") + b"\x7f"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
# What XML 1.0 §2.2 forbids or discourages, lone surrogates, and the markers of `model.personal`.
_UNWANTED = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff{OPEN}{CLOSE}]")
_MAX_MARKS = 64


def decode(data: bytes) -> str:
    """Returns the text of a file with LF line ends; raises RefusedError when it is not an article's text."""
    if len(data) > ARTICLE_BYTES:
        size, limit = len(data) / 2**20, ARTICLE_BYTES // 2**20
        raise RefusedError(f"the file has {size:.1f} MiB, more than the {limit} MiB an article may have; shorten it")
    text = _utf8(data.removeprefix(_BOM)).replace("\r\n", "\n").replace("\r", "\n")
    if not _unspotted(data) and (control := _CONTROL.search(text)):
        line = text.count("\n", 0, control.start()) + 1
        raise RefusedError(f"control character U+{ord(control.group()):04X} in the text; remove it", line)
    if not text.isascii():
        _check_marks(text)
    text = clean(text)
    if not text.strip():
        raise RefusedError("the file is empty; write at least a title")
    return text


def clean(text: str) -> str:
    """Returns the text in NFC without characters that no output can carry."""
    if text.isascii() and _unspotted(text.encode()):
        return text
    return unicodedata.normalize("NFC", _UNWANTED.sub("", text))


def one_line(text: str) -> str:
    """Returns the cleaned text with every run of white space made one space."""
    return " ".join(clean(text).split())


def _check_marks(text: str) -> None:
    """Refuses endless stacks of accents: normalising one takes quadratic time."""
    marks = "".join(character for character in set(text) if unicodedata.combining(character))
    if marks and (stack := re.search(f"[{marks}]{{{_MAX_MARKS},}}", text)):
        line = text.count("\n", 0, stack.start()) + 1
        raise RefusedError(f"more than {_MAX_MARKS} accents on one letter; remove them", line)


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if error.reason == "unexpected end of data" and error.end == len(data):
            raise RefusedError(
                "the file ends in the middle of a character; is it still being written?", line
            ) from error
        raise RefusedError(
            f"not UTF-8: byte 0x{data[error.start]:02x} at position {error.start + 1}; save the file as UTF-8", line
        ) from error


def _unspotted(data: bytes) -> bool:
    """Returns whether UTF-8 text holds no ASCII control character but for TAB, LF and CR."""
    return len(data.translate(None, _CONTROL_BYTES)) == len(data)
