"""The error families, and nothing of how they are shown.

Exceptions are for what stops work; what merely happened to one story or one
recipient is a value (`Problem`, `Outcome`). `cli` maps the families to exit
codes, `web` to HTTP statuses.
"""


class PublisherError(Exception):
    """Base of every error that this program raises on purpose."""


class UsageError(PublisherError):
    """The command or its arguments make no sense here."""


class ConfigError(PublisherError):
    """The configuration cannot be used; `problems` names every key that is wrong, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NotFoundError(PublisherError):
    """What was asked for by name does not exist."""


class RefusedError(PublisherError):
    """One article file cannot be used; says where and what to do about it."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class ReportError(PublisherError):
    """A message cannot be read as a report: too large, too deep, or none at all."""


class UnsettledError(PublisherError):
    """A file changed while it was read; the next look will find it whole."""


class SourceError(PublisherError):
    """The articles folder itself cannot be read: what was published from it stays."""


class OwnerError(PublisherError):
    """Another process already runs this publication."""


class UnreachableError(PublisherError):
    """A service that is needed (database, mail relay) does not answer."""


class DiskFullError(UnreachableError):
    """There is no room left to write what must be written."""


class StoreError(PublisherError):
    """The store refused what was asked of it."""


class StaleError(StoreError):
    """Another process changed what this one was about to write: it must be read again first."""


class TemplateError(ConfigError):
    """A template cannot be used; says which file and line, and what is wrong there."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__([f"{path}:{line}: {message}"])
        self.path = path
        self.line = line
        self.message = message
