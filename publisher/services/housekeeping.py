"""What is tidied up by itself, after a week each: sign-ups without an answer are forgotten, issues that were sent take
less room. Who has not answered is reminded once before."""

from datetime import datetime, timedelta

import structlog

from publisher.mail.tokens import Tokens
from publisher.model.catalogue import Catalogue
from publisher.model.people import SignUp
from publisher.ports import CompactionStore, Outbox, PeopleStore, Renderer, SignUpStore
from publisher.services.admission import PER_ADDRESS
from publisher.services.letters import REMINDER

_REMINDED_AFTER = timedelta(hours=24)
_PURGED_AFTER = timedelta(days=7)
_COMPACTED_AFTER = timedelta(days=7)
"""A relay tries for five days at most, so what comes back has come by then (RFC 5321 §4.5.4.1)."""
_log = structlog.get_logger(__name__)


class Housekeeping:
    """Runs every so often, in as many processes as there are: each mail and each row falls to one of them."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        people: PeopleStore,
        signups: SignUpStore,
        compaction: CompactionStore,
        outbox: Outbox,
        renderer: Renderer,
        tokens: Tokens,
    ) -> None:
        self._catalogue = catalogue
        self._people = people
        self._signups = signups
        self._compaction = compaction
        self._outbox = outbox
        self._renderer = renderer
        self._tokens = tokens

    async def run(self, now: datetime) -> int:
        """Tidies up; returns how many mails that queued."""
        purged = await self._signups.purge(now - _PURGED_AFTER, now)
        if purged:
            _log.info("signups.purged", people=purged)
        for issue in await self._compaction.ripe(now - _COMPACTED_AFTER):
            if await self._compaction.compact(issue):
                _log.info("issue.compacted", issue=issue)
        waiting = await self._signups.unanswered(now - _REMINDED_AFTER, now)
        return sum([await self._remind(signup, now) for signup in waiting])

    async def _remind(self, signup: SignUp, now: datetime) -> bool:
        """A mail that is lost to a crash after it was noted is not sent: one too few is better than one too many."""
        subscriber = await self._people.by_number(signup.subscriber)
        known = self._catalogue.newsletters
        titles = [known[name].title for name in signup.newsletters if name in known]
        if subscriber is None or not titles:
            return False
        hashed, allowances = self._tokens.address_hash, PER_ADDRESS
        if not await self._signups.remind(signup, hashed, allowances, now):
            return False
        language = subscriber.language
        words = tuple(title.in_language(language) for title in titles)
        mail = self._renderer.message("reminder", language, titles=words)
        return await self._outbox.post(f"{REMINDER}:{signup.number}", subscriber.number, language, mail, now)
