"""Reads `config.toml` and `PUBLISHER_*` into Settings; the only reader of both."""

import os
import re
import shutil
import tomllib
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from tomlkit.exceptions import TOMLKitError

from publisher.content.permalink import is_reserved
from publisher.errors import ConfigError
from publisher.mail.encoding import is_sendable
from publisher.mail.message import Sender
from publisher.newsletters.schedule import parse
from publisher.settings import Settings, problems_of

SECRET_KEYS = (("smtp", "password"), ("bounces", "password"), ("bounces", "hook_secret"), ("http", "metrics_token"))
"""Keys of which `KEY_file` names a file that holds the value."""

_BY_NAME = frozenset({"sections", "products", "feeds", "segments", "newsletters", "relays"})
"""Tables of which there are several, that others refer to."""
_REFERRED_TO = frozenset({"id", "language", "languages"})


class _Environment(Settings, BaseSettings):
    """The same keys, as `PUBLISHER_SMTP__PASSWORD` for `smtp.password`."""

    model_config = SettingsConfigDict(env_prefix="PUBLISHER_", env_nested_delimiter="__", extra="forbid")


def load(folder: Path, *, live: bool = False) -> Settings:
    """Returns the judged settings of the publication in `folder`; ConfigError names every wrong key at once.

    `live`: as they would be without the sandbox.
    """
    path = folder / "config.toml"
    merged = _merge(_read(path), EnvSettingsSource(_Environment)())
    if live:
        merged = _merge(merged, {"smtp": {"sandbox": False}})
    problems = _read_secrets(folder, merged)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        raise ConfigError([*problems, *_lines(errors), *_beside(merged, errors)]) from error
    problems += _between(settings)
    if problems:
        raise ConfigError(problems)
    return settings


def _between(settings: Settings) -> list[str]:
    """Returns what is wrong between keys that are right by themselves."""
    return [*problems_of(settings), *_schedules(settings), *_addresses(settings), *_senders(settings)]


def _beside(merged: dict[str, Any], errors: Sequence[Any]) -> list[str]:
    """Returns what else is wrong beside keys that are wrong by themselves, as far as it can be told without these."""
    rest, wrong = deepcopy(merged), [_place(error) for error in errors]
    try:
        for place in set(wrong):
            _leave_out(rest, place)
        settings = Settings.model_validate(rest)
    except (LookupError, TypeError, ValidationError):
        return []  # what others refer to, or cannot do without
    keys = {".".join(map(str, place)) for place in wrong}
    return [problem for problem in _between(settings) if problem.partition(": ")[0] not in keys]


def _leave_out(tables: dict[str, Any], place: Sequence[str | int]) -> None:
    """Takes one key out of its table; LookupError or TypeError: it is none, or one whose lack others would notice."""
    *above, key = place
    while isinstance(key, int):  # one of a list of values: without it the others might mean something else
        *above, key = above
    if key in _REFERRED_TO or len(above) < (2 if above[:1] and above[0] in _BY_NAME else 1):
        raise LookupError(key)
    table: Any = tables
    for part in above:
        table = table[part]
    if not isinstance(table, dict):
        raise TypeError(key)
    del table[key]


def line_of(folder: Path, key: str) -> int:
    """Returns the line of config.toml that says `table.key`, else that of its table, else 1."""
    table, wanted = "", [part.strip() for part in key.split(".")]
    best, line = 0, 1
    for number, text in enumerate((folder / "config.toml").read_text(encoding="utf-8-sig").splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", text):
            table = header[1]
        name = re.match(r"\s*([\w.-]+)\s*=", text)
        said = ".".join(filter(None, (table, name[1] if name else ""))).split(".")
        if len(said) > best and said == wanted[: len(said)]:
            best, line = len(said), number
    return line


def leave_sandbox(folder: Path) -> None:
    """Writes `smtp.sandbox = false` into config.toml and leaves every other character as it is.

    Raises ConfigError where that cannot be written, or where the environment says otherwise.
    """
    import tomlkit

    path = folder / "config.toml"
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
        document.setdefault("smtp", tomlkit.table())["sandbox"] = False
        new = path.with_name(".config.toml.new")
        new.write_text(tomlkit.dumps(document), encoding="utf-8")
        shutil.copymode(path, new)
        os.replace(new, path)
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError([f"{path}: write sandbox = false into [smtp] yourself: {error}"]) from error
    if load(folder).smtp.sandbox:
        raise ConfigError(["smtp.sandbox: PUBLISHER_SMTP__SANDBOX is set and wins over config.toml; unset it"])


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        message = f"{path}: there is no config.toml here; make a publication with: publisher init DIR"
        raise ConfigError([message]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _read_secrets(folder: Path, merged: dict[str, Any]) -> list[str]:
    problems = []
    relays = merged.get("relays")
    tables = [(name, key, merged.get(name)) for name, key in SECRET_KEYS]
    tables += [(f"relays.{name}", "password", relays[name]) for name in relays] if isinstance(relays, dict) else []
    for table_name, key, table in tables:
        if not isinstance(table, dict) or f"{key}_file" not in table:
            continue
        path = folder / str(table.pop(f"{key}_file"))
        try:
            table[key] = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{table_name}.{key}_file: cannot read {path}: {error}")
    return problems


def _schedules(settings: Settings) -> list[str]:
    problems = []
    for i, newsletter in enumerate(settings.newsletters):
        try:
            parse(newsletter.schedule)
        except ValueError as error:
            problems.append(f"newsletters.{i}.schedule: {error}")
    return problems


def _addresses(settings: Settings) -> list[str]:
    pattern = settings.articles.permalink
    if is_reserved(pattern.removeprefix("/")):
        return [f"articles.permalink: addresses below {pattern.split('{')[0]} are the program's own; choose others"]
    return []


def _senders(settings: Settings) -> list[str]:
    """Returns what is wrong with our own addresses: each must be mailable, a sender covered by the signature."""
    problems = []
    senders = {"smtp.sender": settings.smtp.sender}
    senders |= {f"newsletters.{i}.sender": n.sender for i, n in enumerate(settings.newsletters) if n.sender}
    if settings.smtp.unsubscribe_mailto and not is_sendable(settings.smtp.unsubscribe_mailto):
        problems.append("smtp.unsubscribe_mailto: an address such as unsubscribe@example.org is needed")
    for key, text in senders.items():
        try:
            sender = Sender.parse(text)
        except ValueError as error:
            problems.append(f"{key}: {error}")
            continue
        if settings.dkim and not sender.is_aligned_with(settings.dkim.domain):
            problems.append(
                f"dkim.domain: {settings.dkim.domain} does not speak for {key}, {sender.address}: "
                f"receivers would not count its signature (DMARC); {sender.domain} or a domain above it would do"
            )
    return problems


def _lines(errors: Sequence[Any]) -> list[str]:
    """Returns what is wrong, once for each key: one that takes two kinds of values has an error for each of them."""
    told = {_place(error): error for error in reversed(errors)}
    return [_line(place, error) for place, error in reversed(told.items())]


def _place(error: Any) -> tuple[str | int, ...]:
    return tuple(part for part in error["loc"] if not _is_kind(part))


def _is_kind(part: str | int) -> bool:
    return isinstance(part, str) and part.endswith("]")


def _line(place: Sequence[str | int], error: Any) -> str:
    key = ".".join(map(str, place)) or "config.toml"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key; see docs/configuration.md for the keys there are"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}"
