"""The direction of imports and the doors of the libraries, held over the syntax tree (docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "publisher"

ROWS = {
    "model": 0,
    "errors": 0,
    "ports": 1,
    "languages": 1,
    "segments": 1,
    "content": 2,
    "editorial": 2,
    "feeds": 2,
    "newsletters": 2,
    "mail": 2,
    "settings": 2,
    "services": 3,
    "sources": 3,
    "output": 3,
    "stores": 3,
    "transports": 3,
    "engines": 3,
    "rendering": 3,
    "starter": 3,
    "config": 3,
    "clock": 3,
    "owner": 3,
    "parsing": 3,
    "signing": 3,
    "disk": 3,
    "probes": 3,
    "logs": 3,
    "app": 4,
    "web": 5,
    "scheduler": 5,
    "service": 5,
    "worker": 5,
    "cli": 6,
    "__main__": 6,
}
"""The row of every room; an import goes down, never up and never sideways."""

NEIGHBOURS = {("service", "scheduler"), ("service", "web"), ("worker", "web"), ("__main__", "cli")}
"""What may be imported within a row: the two that run hold the parts of their row together."""

DOORS = {
    "feedgen": "feeds",
    "jinja2": "rendering",
    "css_inline": "rendering",
    "aiosmtplib": "transports",
    "aiosmtpd": "transports",
    "sqlalchemy": "stores",
    "alembic": "stores",
    "aiosqlite": "stores",
    "psycopg": "stores",
    "procrastinate": "engines",
    "apscheduler": "scheduler",
    "imaplib": "transports",
    "dns": "probes",
    "tomlkit": "config",
    "watchfiles": "sources",
    "cryptography": "mail",
    "comrak": "content",
    "nh3": "content",
    "yaml": "content",
    "starlette": "web",
    "prometheus_client": "web",
    "click": "cli",
    "rich": "cli",
}
"""The one room in which a library may be used."""

PURE = ("content", "editorial", "feeds", "newsletters", "mail", "model", "languages", "segments")
FORBIDDEN_WHEN_PURE = {"os", "socket", "asyncio", "subprocess", "time", "sqlite3", "threading"}
"""What a decision has no use for: it takes values and returns one."""


def _files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "packaged" not in path.parts)


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            module = node.module or ""
            # `from publisher import config` names the room in the alias
            found += [(node.lineno, f"{module}.{a.name}") for a in node.names] if module == "publisher" else []
            found += [] if module == "publisher" else [(node.lineno, module)]
    return found


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down_and_libraries_have_one_door(path: Path) -> None:
    """A room imports only rooms below it, and a library is used in its own room only."""
    room = _room(path)
    if room == "__init__":
        return
    assert room in ROWS, f"{room} has no row yet: give it one in docs/architecture.md and here"
    for line, name in _imports(path):
        top, _, rest = name.partition(".")
        if top == "publisher":
            other = rest.partition(".")[0]
            if other in (room, "__version__", ""):
                continue
            below = ROWS[other] < ROWS[room] or (room, other) in NEIGHBOURS
            assert below, f"{path}:{line}: {room} (row {ROWS[room]}) imports {other} (row {ROWS[other]})"
        elif top in DOORS:
            door = DOORS[top]
            assert room in (door, "service") if top == "starlette" else room == door, (
                f"{path}:{line}: {top} belongs to {door}"
            )
        elif room in PURE:
            assert top not in FORBIDDEN_WHEN_PURE, f"{path}:{line}: {room} is pure, and imports {top}"


def test_only_config_reads_the_environment() -> None:
    """`os.environ` and `os.getenv` stand nowhere else."""
    for path in _files():
        text = path.read_text(encoding="utf-8")
        assert _room(path) == "config" or ("os.environ" not in text and "os.getenv" not in text), path


def test_no_machine_and_no_index_is_named() -> None:
    """The lock file names versions and hashes, and no place they came from."""
    constraints = (PACKAGE.parent / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in constraints
    assert "--hash=sha256:" in constraints
