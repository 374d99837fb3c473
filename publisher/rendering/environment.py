"""How templates are found, run and, when one is wrong, named."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
import jinja2.sandbox

from publisher import __version__
from publisher.errors import TemplateError

_SUFFIXES = (".html", ".txt")
_PACKAGED = "packaged"
_MOST_JUDGED = 4096
"""Names may be made up by a template as it runs: not all of them are kept in mind."""
_FAULTS = (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a mistake in a template raises; the same errors from elsewhere are not ours to name."""


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """A sandbox that asks once per type and name whether templates may have it: nothing else decides that."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._judged: dict[tuple[type, str], bool] = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Returns an attribute as sandboxes do; what was judged before and is no method needs no more."""
        value = getattr(obj, attribute, None)
        if value is not None and not callable(value) and self._judged.get((type(obj), attribute)):
            return value
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Returns whether a template may have this attribute."""
        key = (type(obj), attr)
        safe = self._judged.get(key)
        if safe is None:
            safe = super().is_safe_attribute(obj, attr, value)
            if len(self._judged) < _MOST_JUDGED:
                self._judged[key] = safe
        return safe


def environment(packaged: Path, own: Path | None) -> jinja2.Environment:
    """Returns an environment that knows the publication's templates first, the packaged ones second.

    It is sandboxed, as templates may be edited by people who should not run code; an unknown name is an error.
    """
    folders = [own, packaged] if own else [packaged]
    base = jinja2.FileSystemLoader(packaged)
    loader = jinja2.ChoiceLoader(
        [
            *(jinja2.FileSystemLoader(folder) for folder in folders),
            jinja2.PrefixLoader({_PACKAGED: base}, delimiter=":"),
        ]
    )
    return _Sandbox(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        autoescape=_escapes,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=True,
    )


def _escapes(name: str | None) -> bool:
    return name is not None and not name.endswith(".txt")


def names(env: jinja2.Environment) -> list[str]:
    """Returns the names of all templates that apply, sorted."""
    return [name for name in sorted(env.list_templates()) if name.endswith(_SUFFIXES)]


def fingerprint(env: jinja2.Environment, own: Path | None) -> str:
    """Returns a hash (hex) of every template's source and of this program's version."""
    digest = hashlib.sha256(__version__.encode())
    for name in names(env):
        beneath = name.removeprefix(f"{_PACKAGED}:")
        if beneath != name and not (own is not None and (own / beneath).is_file()):
            continue  # it is the one that applies, under its other name
        with naming_faults(own, name):
            digest.update(f"\0{name}\0{_source(env, name)}".encode())
    return digest.hexdigest()


def forget(env: jinja2.Environment) -> None:
    """Has every template looked for again: jinja does not see that one now stands before another of its name."""
    if env.cache is not None:
        env.cache.clear()


def _source(env: jinja2.Environment, name: str) -> str:
    if env.loader is None:
        raise TypeError("an environment without a loader")
    return env.loader.get_source(env, name)[0]


def own_names(env: jinja2.Environment, own: Path | None) -> list[str]:
    """Returns the names of the publication's own templates, sorted."""
    return [name for name in names(env) if own is not None and (own / name).is_file()]


def sources(env: jinja2.Environment, name: str) -> tuple[str, str]:
    """Returns a template's source as it applies, and as the packaged one of its name has it ("" for none)."""
    try:
        return _source(env, name), _source(env, f"{_PACKAGED}:{name}")
    except jinja2.TemplateNotFound:
        return _source(env, name), ""


def uncompiled(env: jinja2.Environment, own: Path | None) -> list[TemplateError]:
    """Returns what cannot even be compiled, one error for each template."""
    found = []
    for name in names(env):
        try:
            with naming_faults(own, name):
                env.get_template(name)
        except TemplateError as error:
            found.append(error)
    return found


@contextmanager
def naming_faults(own: Path | None, name: str = "<template>") -> Iterator[None]:
    """Turns a mistake in a template into an error that names its file and line; `name` says what is being read."""
    try:
        yield
    except UnicodeDecodeError as error:
        read = str(own / name) if own else name
        raise TemplateError(_shown(read, own), 1, f"is not UTF-8 text: {error}") from error
    except _FAULTS as error:
        place = _place(error)
        if place is None:
            raise
        path, line = place
        raise TemplateError(_shown(path, own), line, _message(error)) from error


def _place(error: BaseException) -> tuple[str, int] | None:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.filename or error.name or "<template>", error.lineno
    innermost = _innermost_template_line(error.__traceback__)
    if innermost is None and isinstance(error, jinja2.TemplateNotFound):
        return str(error.name), 1
    return innermost


def _innermost_template_line(trace: TracebackType | None) -> tuple[str, int] | None:
    found = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.endswith(_SUFFIXES) or code.co_filename == "<template>":
            found = (code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return found


def shown(own: Path | None, name: str) -> str:
    """Returns a template's name as its readers know it: seen from the publication's folder if it is its own."""
    return _shown(str(own / name), own) if own is not None and (own / name).is_file() else name


def _shown(path: str, own: Path | None) -> str:
    """Templates of the publication are named as seen from its folder."""
    if own is not None and Path(path).is_relative_to(own):
        return Path(path).relative_to(own.parent).as_posix()
    return path


def _message(error: BaseException) -> str:
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no template {error.message}"
    if isinstance(error, KeyError):
        return f"nothing is known as {error}"
    return str(error) or type(error).__name__
