"""One connection of the pool at work: letter after letter over one session after another.

Pipelined, one write carries a body with its dot and the envelope of the next
letter (RFC 2920 §3.1: DATA ends a group), so a message costs one round trip.
The plain way asks line by line. Both judge every reply by its phase, and both
write a body only after its guard has said yes (delivery.md §2.1).
"""

import asyncio
from typing import Protocol

from publisher.model.delivery import Ending, Fault, Phase
from publisher.transports.postings import Posting
from publisher.transports.session import Patience, Session
from publisher.transports.wire import Reply, WireError

_MESSAGES_PER_SESSION = 100
_GOODBYE_SECONDS = 2.0
_SERVICE_CLOSING = 421
_TOO_LARGE = Ending(phase=Phase.DATA, code=552, text="5.3.4 larger than the relay takes")
_GROUP = (Phase.MAIL, Phase.RCPT, Phase.DATA)
_USUAL = (250, 250, 354)
_OUT = (b"", b"", b"")
"""An envelope that went out with the body before it."""


class Pool(Protocol):
    """What a line needs of the pool it belongs to."""

    @property
    def pipelining(self) -> bool:
        """Whether sessions may pipeline."""

    async def open(self) -> Session | Ending:
        """Opens a session."""

    def take(self) -> Posting | None:
        """Returns a letter that waits."""

    async def next(self) -> Posting | None:
        """Waits for a letter; None: leave."""

    def part(self, session: Session, *, out_of_step: bool) -> None:
        """Hears of the end of a session, and whether it ended because replies could not be trusted."""

    def unreachable(self, ending: Ending) -> None:
        """Hears that no session could be opened."""


class Line:
    """One place in the pool."""

    def __init__(self, pool: Pool, patience: Patience) -> None:
        self._pool = pool
        self._patience = patience

    async def run(self) -> None:
        """Carries what there is to carry, until nothing comes for a while."""
        posting = self._pool.take()
        while posting is not None:
            try:
                opened = await self._pool.open()
            except asyncio.CancelledError:
                posting.end(_closed(Phase.CONNECT))
                raise
            except Exception as error:
                posting.fail(error)
                raise
            if isinstance(opened, Ending):
                posting.end(opened)
                self._pool.unreachable(opened)
                posting = self._pool.take()
            else:
                posting = await _Exchange(opened, self._pool, self._patience).run(posting) or self._pool.take()


class _Exchange:
    """The transactions on one session, one after the other."""

    def __init__(self, session: Session, pool: Pool, patience: Patience) -> None:
        self._session = session
        self._wire = session.wire
        self._pool = pool
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._phase = Phase.MAIL
        self._until = 0.0
        self._out_of_step = False
        self._grouped = False
        """Whether the envelope went out as a group."""
        self._asked = False
        """Whether the guard was asked: from then on a letter stays with its session."""
        self._ahead = False
        """Whether the envelope of the letter whose turn it is went out with the body before it."""
        self._following: Posting | None = None
        """The letter whose envelope goes out with the body under way."""

    async def run(self, posting: Posting) -> Posting | None:
        """Carries letters as long as the session lasts; returns the one that has to go on over another session."""
        current: Posting | None = posting
        try:
            while current is not None:
                if not self._ahead and current.over:  # whoever sent it was stopped
                    current = await self._pool.next()
                    continue
                if not self._ahead and not self._wire.clean:  # broken, or spoken to, while it was idle
                    return current
                ending = await self._transaction(current)
                if ending is not None and self._may_begin_anew(ending):
                    return current
                following, self._following = self._following, None
                if ending is not None:
                    current.end(ending)
                if ending is None or not self._goes_on(ending):
                    return following
                # Whoever sent it has heard of its end before the next guard is asked: both go into one commit, or
                # the end into an earlier one, and no more letters are in doubt than there are sessions.
                current, self._ahead = following, following is not None
                if current is None:
                    if self._session.used >= _MESSAGES_PER_SESSION:
                        break
                    current = await self._pool.next()
            await self._wire.quit(_GOODBYE_SECONDS)
            return None
        except asyncio.CancelledError:
            if current is not None:
                current.end(_closed(self._phase))
            if self._following is not None:
                self._following.end(_closed(Phase.MAIL))
            raise
        except Exception as error:  # ours: nobody waits for ever
            for left in (current, self._following):
                if left is not None:
                    left.fail(error)
            raise
        finally:
            self._pool.part(self._session, out_of_step=self._out_of_step or self._wire.fault is Fault.GARBAGE)
            self._wire.close()

    async def _transaction(self, posting: Posting) -> Ending | None:
        """Carries one letter and returns how that ended; None: its guard failed, and whoever sends it knows."""
        if not self._ahead and self._is_too_large(posting):
            return _TOO_LARGE
        self._until = self._loop.time() + self._patience.total
        self._phase = Phase.MAIL
        self._asked = False
        posting.begin(self._wire)
        try:
            refusal = await self._envelope(posting)
            if refusal is not None:
                self._session.stale = True
                return refusal
            withdrawn = await self._guarded(posting)
            if withdrawn is not None:
                return withdrawn
            await self._body(posting)
            self._phase = Phase.BODY
            return self._after_the_dot(await self._reply(self._patience.dot))
        except WireError as error:
            self._out_of_step = error.fault is Fault.GARBAGE
            return Ending(phase=self._phase, fault=error.fault, text=error.text)
        except _GuardError as failed:
            posting.fail(failed.error)
            return None
        finally:
            self._session.used += 1

    async def _envelope(self, posting: Posting) -> Ending | None:
        """Gets MAIL, RCPT and DATA answered; returns the refusal, None: the body may go.

        Only answers without contradiction are believed: where replies got out of step a refusal may belong to
        something else, and then nobody but the relay is to blame. So DATA is asked even after a recipient was
        refused for good: what is in step refuses it too (RFC 5321 §4.1.1.4).
        """
        lines = _OUT if self._ahead else posting.envelope(self._session)
        await self._announce(lines)
        if self._grouped and self._wire.all_heard(_USUAL):
            self._phase = Phase.DATA
            return None
        refused: Ending | None = None
        for phase, line in zip(_GROUP, lines, strict=True):
            if refused is None:
                self._phase = phase
            elif not self._grouped and not (refused.phase is Phase.RCPT and phase is Phase.DATA and _is_final(refused)):
                break
            try:
                if not self._grouped:
                    self._wire.ask(line)
                reply = self._wire.heard() or await self._reply(self._seconds(phase))
            except WireError as error:
                if refused is None or error.fault is Fault.GARBAGE:
                    raise
                break
            refused = _refusal(phase, reply) if refused is None else self._confirmed(refused, phase, reply)
            if reply.code == _SERVICE_CLOSING:
                break
        if self._wire.fault is Fault.GARBAGE or (refused is None and not self._wire.clean):
            raise WireError(self._wire.fault or Fault.GARBAGE, "replies out of step")
        return refused

    async def _announce(self, lines: tuple[bytes, ...]) -> None:
        """Ends what was left open, and writes the envelope if it goes as a group and is not out yet."""
        self._grouped = self._ahead or self._pipelines
        if self._ahead:
            return
        reset, self._session.stale = self._session.stale, False
        if self._grouped:
            self._wire.ask(b"".join((b"RSET\r\n" if reset else b"", *lines)), len(lines) + reset)
        elif reset:
            self._wire.ask(b"RSET\r\n")
        if not reset:
            return
        try:
            reply = await self._reply(self._patience.command)
        except WireError as error:  # nobody's trouble but the session's
            raise WireError(Fault.DISCONNECTED, f"RSET: {error.text}") from error
        if reply.code != 250:
            raise WireError(Fault.DISCONNECTED, f"{reply.code} in answer to RSET: {reply.text}")

    def _confirmed(self, refused: Ending, phase: Phase, reply: Reply) -> Ending:
        """Returns the refusal again once a later reply does not contradict it."""
        if phase is Phase.DATA and reply.code == 354 and refused.phase is Phase.RCPT:
            # RFC 2920 §3.1 would have us send a lone dot; a relay that takes it for a mail sends an empty one.
            self._wire.close()
        elif not 400 <= reply.code <= 599:
            raise WireError(Fault.GARBAGE, f"{reply.code} at {phase.upper()} after a refusal: {reply.text}")
        return refused

    async def _guarded(self, posting: Posting) -> Ending | None:
        """Asks for leave to write the body; without it the connection is closed, so that there is no dot."""
        self._asked = True
        text = "not ours to send any more"
        try:
            if not posting.over and await self._wire.until(self._until, posting.leave()) and not posting.over:
                return None
        except TimeoutError:
            text = f"no leave to send within {self._patience.total:g} s"
        except Exception as error:
            self._wire.close()
            raise _GuardError(error) from error
        self._wire.close()
        return Ending(phase=Phase.DATA, fault=Fault.WITHDRAWN, text=text)

    async def _body(self, posting: Posting) -> None:
        """Writes the body, and with it the envelope of the next letter if there is one."""
        then, replies = b"", 1
        if self._pipelines and self._session.used + 1 < _MESSAGES_PER_SESSION:
            self._following = self._takeable()
            if self._following is not None:
                then = b"".join(self._following.envelope(self._session))
                replies += len(_GROUP)
        block = min(self._patience.block, max(0.0, self._until - self._loop.time()))
        await self._wire.body(posting.body(), then, replies, block)

    def _after_the_dot(self, reply: Reply) -> Ending:
        if reply.code < 300 or reply.code >= 400:
            return Ending(phase=Phase.BODY, code=reply.code, text=reply.text)
        self._out_of_step = True
        return Ending(phase=Phase.BODY, fault=Fault.GARBAGE, text=f"{reply.code} in answer to a message: {reply.text}")

    async def _reply(self, seconds: float) -> Reply:
        return await self._wire.reply(seconds, self._until)

    def _seconds(self, phase: Phase) -> float:
        return self._patience.data if phase is Phase.DATA else self._patience.command

    @property
    def _pipelines(self) -> bool:
        return self._session.pipelining and self._pool.pipelining

    def _takeable(self) -> Posting | None:
        """Returns a letter that waits and that the relay takes."""
        while (posting := self._pool.take()) is not None:
            if posting.over:
                continue
            if not self._is_too_large(posting):
                return posting
            posting.end(_TOO_LARGE)
        return None

    def _is_too_large(self, posting: Posting) -> bool:
        return 0 < (self._session.size_limit or 0) < posting.size

    def _may_begin_anew(self, ending: Ending) -> bool:
        """Returns whether only the session is lost: the letter has not begun to go, another session may carry it.

        So it is where a session went away between two letters, and where replies got out of step in a pipelined
        envelope: then the next session is a plain one.
        """
        if self._asked:
            return False
        if ending.fault is Fault.GARBAGE:
            return self._grouped
        gone = ending.fault is Fault.DISCONNECTED or ending.code == _SERVICE_CLOSING
        return ending.phase is Phase.MAIL and gone and self._session.used > 1

    def _goes_on(self, ending: Ending) -> bool:
        """Returns whether the session lasts: the reply was one that belongs to its phase (delivery.md §2.1)."""
        if ending.fault is not None or ending.code == _SERVICE_CLOSING or self._wire.fault is not None:
            return False
        return ending.phase is not Phase.MAIL


class _GuardError(Exception):
    """The guard itself failed."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _refusal(phase: Phase, reply: Reply) -> Ending | None:
    """Returns None for the reply that lets the transaction go on; WireError for one that does not belong there."""
    if reply.code == 354 if phase is Phase.DATA else 200 <= reply.code <= 299:
        return None
    if not 400 <= reply.code <= 599:
        raise WireError(Fault.GARBAGE, f"{reply.code} in answer to {phase.upper()}: {reply.text}")
    return Ending(phase=phase, code=reply.code, text=reply.text)


def _is_final(refusal: Ending) -> bool:
    return refusal.code is not None and refusal.code >= 500


def _closed(phase: Phase) -> Ending:
    return Ending(phase=phase, fault=Fault.DISCONNECTED, text="closed by us")
