"""Structured logs on stderr: lines for people on a terminal, JSON for machines elsewhere."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_TOKENS = re.compile(r"/(u|confirm|unsubscribe|preferences|read)/([A-Za-z0-9._~-]{4})[A-Za-z0-9._~-]+")


def configure(level: int = logging.WARNING) -> None:
    """Sets up logging on stderr; tokens are shortened wherever they turn up (security S19)."""
    show = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redacted,
            show,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever stderr is by then
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forwarder()], force=True)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # that a busy action is not begun twice is no news
    for engine in ("procrastinate", "psycopg.pool"):  # that the server is away, who needs it says (`engine.deaf`)
        logging.getLogger(engine).setLevel(logging.CRITICAL)


class _Forwarder(logging.Handler):
    """Hands what libraries log to the same lines as ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Logs one record."""
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def _redacted(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _TOKENS.sub(r"/\1/\2…", value)
    return event
