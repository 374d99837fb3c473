"""Many files to manuscripts at once: other processes help, one for each core that is to spare.

A manuscript depends on nothing but the file's bytes and the rules, so it does not matter who makes it. What a helper
leaves undone, because it was killed or cannot say what went wrong, is done here.
"""

import multiprocessing
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import msgspec

from publisher.content import Rules, parse
from publisher.errors import RefusedError
from publisher.model.article import Manuscript

File = tuple[str, bytes]
"""Its POSIX path below the articles folder, and what it holds."""
Read = Manuscript | RefusedError
Reader = Callable[[Sequence[File]], list[Read]]

_MANY = 2000
"""Files of which reading takes longer than it takes a helper to start."""
_HELPERS = 3
"""At most: what comes after reading is done by one process."""
_HELPED = 48
_OWN = 8
"""Files that are handed over together, and that are read here before looking at the helpers again."""
_PATIENCE_SECONDS = 60
"""A helper that says nothing for so long, or takes nothing, was stopped by somebody, or has no memory to go on."""


class _Result(msgspec.Struct, array_like=True):
    """What a helper tells of one file."""

    manuscript: Manuscript | None = None
    refused: str = ""
    line: int = 1


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[_Result])


class Parsing:
    """Reads files by the rules of a publication."""

    def __init__(self, rules: Rules, *, many: int = _MANY) -> None:
        """`many`: from how many files on others help."""
        self._rules = rules
        self._many = many

    @contextmanager
    def of(self, count: int) -> Iterator[Reader]:
        """Gives a reader for so many files; the helpers it has, if any, are gone at the end."""
        spare = min(len(os.sched_getaffinity(0)) - 1, _HELPERS) if count >= self._many else 0
        own = partial(read, partial(parse, rules=self._rules))
        helpers: list[_Helper] = []
        try:
            with suppress(OSError):  # no process more, says the system; what there is does
                helpers += (_Helper(self._rules) for _ in range(spare))
            yield partial(_shared, own, helpers) if helpers else own
        finally:
            for helper in helpers:
                helper.end()


def one_by_one(one: Callable[[str, bytes], Manuscript]) -> Callable[[int], AbstractContextManager[Reader]]:
    """Returns what `Parsing.of` is for a parser that does more than parsing: nobody helps it."""
    return lambda _: nullcontext(partial(read, one))


def read(one: Callable[[str, bytes], Manuscript], files: Sequence[File]) -> list[Read]:
    """Returns the manuscript of each file, or why it has none."""
    found: list[Read] = []
    for path, data in files:
        try:
            found.append(one(path, data))
        except RefusedError as error:
            found.append(error)
    return found


def _shared(own: Reader, helpers: Sequence["_Helper"], files: Sequence[File]) -> list[Read]:
    """Shares files out: each helper has a few in hand, and meanwhile some are read here."""
    found: dict[int, list[Read]] = {}
    start = 0
    while start < len(files) or any(helper.start is not None for helper in helpers):
        for helper in helpers:
            if helper.is_free and start < len(files) and helper.take(start, files[start : start + _HELPED]):
                start += _HELPED
        if start < len(files):
            found[start] = own(files[start : start + _OWN])
            start += _OWN
        else:
            at_work = [helper for helper in helpers if helper.start is not None]
            if not wait([helper.connection for helper in at_work], _PATIENCE_SECONDS):
                for helper in at_work:
                    helper.lost = True
        for helper in helpers:
            if (done := helper.done()) is not None:
                first, results = done
                found[first] = own(files[first : first + _HELPED]) if results is None else results
    return [one for first in sorted(found) for one in found[first]]


class _Helper:
    """A process that reads files; it ends with the one that started it, and may be killed at any time."""

    def __init__(self, rules: Rules) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.start: int | None = None
        """Where the files begin that it has in hand."""
        self.lost = False
        """Whether nothing is to be expected of it any more."""
        self._ready = False
        self._process: BaseProcess = context.Process(target=_help, args=(theirs, rules), daemon=True)
        try:
            _bound(self.connection, _PATIENCE_SECONDS)
            resource_tracker.ensure_running()  # starting it takes the block away that follows
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for us, and goes to all
            try:
                self._process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()

    @property
    def is_free(self) -> bool:
        """Whether it can be given files: until it has said that it is there it would not take them."""
        if not self._ready and not self.lost and self.connection.poll():
            self._received()
            self._ready = not self.lost
        return self._ready and not self.lost and self.start is None

    def take(self, start: int, files: Sequence[File]) -> bool:
        """Hands over files; False when there is nobody any more."""
        try:
            self.connection.send(files)
        except OSError:
            self.lost = True
            return False
        self.start = start
        return True

    def done(self) -> tuple[int, list[Read] | None] | None:
        """Returns where the files begin that it is done with, and what it read, None: nothing; None: it is not done."""
        if self.start is None or not (self.lost or self.connection.poll()):
            return None
        start, self.start = self.start, None
        told = b"" if self.lost else self._received()
        return start, [_read(one) for one in _DECODER.decode(told)] if told else None

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self.connection.close()

    def _received(self) -> bytes:
        try:
            return self.connection.recv_bytes()
        except (EOFError, OSError):
            self.lost = True
            return b""


def _bound(connection: Connection, seconds: int) -> None:
    """Has the system give up what is half sent or half received and goes on no more, as OSError."""
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            end.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", seconds, 0))


def _read(result: _Result) -> Read:
    return result.manuscript if result.manuscript is not None else RefusedError(result.refused, result.line)


def _help(connection: Connection, rules: Rules) -> None:
    """Is what a helper does: it says that it is there, and reads what it is given until nobody gives it anything."""
    own = partial(read, partial(parse, rules=rules))
    try:
        connection.send_bytes(b"")
        while True:
            connection.send_bytes(_told(own, connection.recv()))
    except (EOFError, OSError):
        return


def _told(own: Reader, files: Sequence[File]) -> bytes:
    try:
        return _ENCODER.encode([_result(one) for one in own(files)])
    except Exception:  # whoever asked reads them again, and sees what is wrong
        return b""


def _result(one: Read) -> _Result:
    return _Result(refused=one.message, line=one.line) if isinstance(one, RefusedError) else _Result(one)
