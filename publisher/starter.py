"""Finds the files that come with the program, and makes new publications of them."""

import json
import re
import shutil
import tomllib
from email.utils import parseaddr
from pathlib import Path
from typing import Literal

from publisher.errors import UsageError

Kind = Literal["blog", "agency"]

_HERE = Path(__file__).resolve().parent
_PACKAGED = _HERE / "packaged"
_REPOSITORY = _HERE.parent
_FOLDERS = ("articles", "pages")
_HIDDEN = shutil.ignore_patterns(".*", "__pycache__")


def packaged_templates() -> Path:
    """Returns the folder of the templates that come with the program; it holds `web/` and `email/`."""
    return _shipped("templates")


def packaged_static() -> Path:
    """Returns the folder of the style sheet and icon that every publication has unless it brings its own."""
    return _shipped("agency/static", in_repository="static")


def create(target: Path, kind: Kind, *, title: str, url: str | None = None, sender: str) -> list[Path]:
    """Makes a publication in `target` and returns its files, sorted.

    Raises UsageError, and writes nothing, when the folder holds anything, or a value cannot stand in config.toml.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not empty; choose a new folder")
    source = _source(kind)
    config = _personal((source / "config.toml").read_text(encoding="utf-8"), title=title, url=url, sender=sender)
    target.mkdir(parents=True, exist_ok=True)
    for name in _FOLDERS:
        shutil.copytree(source / name, target / name, ignore=_HIDDEN)
    (target / "static").mkdir()
    (target / "config.toml").write_text(config, encoding="utf-8")
    return sorted(path for path in target.rglob("*") if path.is_file())


def _shipped(path: str, in_repository: str = "") -> Path:
    """A wheel carries the files in a folder of the package; in the repository they are its own top level."""
    installed = _PACKAGED / path
    return installed if installed.is_dir() else _REPOSITORY / (in_repository or path)


def _source(kind: Kind) -> Path:
    if kind == "blog":
        return _HERE / "starters" / "blog"
    installed = _PACKAGED / "agency"
    return installed if installed.is_dir() else _REPOSITORY


def _personal(config: str, *, title: str, url: str | None, sender: str) -> str:
    """Returns the starter's config with the owner's values in the place of its examples."""
    name, address = parseaddr(sender)
    if "@" not in address or not title.strip():
        raise UsageError('a title and a sender such as "Example News <news@example.org>" are needed')
    site = {"title": title, "service": title, "author": name or title, "contact": f"mailto:{address}"}
    site["postal_address"] = ""
    if url is not None:
        site["url"] = url.rstrip("/")
    for key, value in site.items():
        config = _with(config, "site", key, value)
    config = _with(config, "smtp", "sender", sender)
    tomllib.loads(config)
    return config


def _with(config: str, table: str, key: str, value: str) -> str:
    """Returns the config with one string in one table replaced; what the table does not have stays out."""
    head, opening, rest = config.partition(f"[{table}]\n")
    end = re.search(r"^\[", rest, flags=re.MULTILINE)
    body, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    body = re.sub(rf'^({key}\s*=\s*)"[^"\n]*"', lambda found: found[1] + _quoted(value), body, flags=re.MULTILINE)
    return head + opening + body + tail


def _quoted(value: str) -> str:
    """A TOML basic string (TOML 1.0.0, String): JSON's, without the control characters that JSON lets through."""
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise UsageError(f"control characters cannot stand in config.toml: {value!r}")
    return json.dumps(value, ensure_ascii=False)
