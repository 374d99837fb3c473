"""What every command shares: the publication it is about, and how it answers."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.article import Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """The options that every command takes."""

    folder: Path
    json: bool = False
    verbose: bool = False

    def run(self, work: "Callable[[App], Awaitable[T]]", *, accept_key: bool = False, confirm_copy: bool = False) -> T:
        """Opens the publication, awaits `work` with it, and closes it again; the options are those of `open_app`.

        SIGTERM ends it as Ctrl-C does: what is under way is let end. Said a second time it ends at once.
        """
        import uvloop

        from publisher.app import open_app
        from publisher.logs import configure

        configure(logging.DEBUG if self.verbose else logging.WARNING)

        done: list[T] = []  # a task with a large result is written out as text when the handler of Ctrl-C is put back

        async def opened() -> None:
            _end_at_sigterm(asyncio.get_running_loop(), asyncio.current_task())
            async with open_app(self.folder, accept_key=accept_key, confirm_copy=confirm_copy) as app:
                done.append(await work(app))

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(opened())
            return done.pop()
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    def state(self) -> Path:
        """Returns the publication's `var/`, made if need be; ConfigError where there is no publication."""
        from publisher.app import state_folder
        from publisher.config import load

        load(self.folder)
        return state_folder(self.folder)

    def problem(self, problem: "Problem") -> dict[str, Any]:
        """Returns a problem for `--json`."""
        return {
            "file": problem.path,
            "line": problem.line,
            "message": problem.message,
            "code": problem.code,
            "blocks": problem.fatal,
        }

    def emit(self, value: Any, text: str) -> None:
        """Prints the result: one JSON document with `--json`, else `text`."""
        if self.json:
            import msgspec

            click.echo(msgspec.json.encode(value, enc_hook=str).decode())
        elif text:
            click.echo(text)

    def say(self, text: str) -> None:
        """Prints talk that is not the result, on stderr."""
        click.echo(text, file=sys.stderr)


def _end_at_sigterm(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Any] | None") -> None:
    def told() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if task is not None:
            task.cancel()

    loop.add_signal_handler(signal.SIGTERM, told)


pass_context = click.make_pass_decorator(Context)
