"""Takes in lists of people, as often as one likes: who once said no stays out, and every bad line is named."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from publisher.errors import UsageError
from publisher.mail.addresses import parse_address
from publisher.mail.tokens import Tokens
from publisher.model.catalogue import Catalogue
from publisher.model.choices import Change
from publisher.model.people import (
    ConsentEvent,
    Enrolled,
    Enrolment,
    EnrolmentResult,
    Proof,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from publisher.ports import PeopleStore
from publisher.services.admission import CURRENT, OPERATOR_LIMITS, Admitting, on_one_line
from publisher.services.cells import parse_consented, parse_moment
from publisher.services.choose import Choosing
from publisher.services.registrar import Conditions, Particulars, Registrar
from publisher.services.roster import NOTHING, SUPPRESSED, Roster, Row
from publisher.services.wishes import parse_wish

_BATCH = 200
_LONGEST_EVIDENCE, _LONGEST_SOURCE = 1000, 200
_YES_AND_NO = {"": None, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What the operator says of a whole list."""

    source: str
    """What the list is called, for the record."""
    confirmed: bool = False
    """Whether everybody in it has said yes."""
    consent: str = ""
    """In which words, for lines that say none; it is the operator's word too."""
    newsletters: tuple[str, ...] | None = None
    """For lines that name none; None: every scheduled one."""
    products: tuple[str, ...] | None = None
    """For lines that name none; None: what the newsletters bring."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A line of an import about which there is something to say."""

    line: int
    email: str
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What an import did, or in a dry run would do."""

    dry_run: bool
    origin: str = ""
    """The program whose export the list was recognised as."""
    left_out: tuple[str, ...] = ()
    """Columns that became nothing."""
    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    suppressed: int = 0
    """Addresses that are never mailed from now on."""
    confirmations: int = 0
    """Confirmation mails queued."""
    skipped: list[Remark] = field(default_factory=list)
    """Lines that cannot be used."""
    left_alone: list[Remark] = field(default_factory=list)
    """Who once said no: suppressed, or unsubscribed from what the line names."""
    repeated: list[Remark] = field(default_factory=list)
    """Lines further down about somebody who was there before; they count nowhere else."""


class Importing:
    """Goes through a list, a transaction for some hundreds of lines: broken off, it is simply done again."""

    def __init__(
        self,
        catalogue: Catalogue,
        people: PeopleStore,
        tokens: Tokens,
        admitting: Admitting,
        registrar: Registrar,
        choosing: Choosing,
    ) -> None:
        self._catalogue = catalogue
        self._people = people
        self._tokens = tokens
        self._admitting = admitting
        self._registrar = registrar
        self._choosing = choosing

    async def run(
        self, roster: Roster, wish: Instructions, now: datetime, progress: Callable[[int], None] | None = None
    ) -> ImportReport:
        """Adds the people of a list; `progress` is told how many lines are done.

        A dry run says the same as the real one and stores nothing.
        """
        origin = roster.layout.origin
        report = ImportReport(wish.dry_run, origin.title if origin else "", roster.layout.left_out)
        self._registrar.judge(wish.newsletters or (), wish.products or (), None, None)
        memory = _Memory()
        for batch in _batches(roster.rows()):
            report.read += len(batch)
            await self._take(batch, wish, memory, report, now)
            if progress is not None:
                progress(report.read)
        return report

    async def suppress(
        self,
        roster: Roster,
        source: str,
        reason: SuppressionReason,
        now: datetime,
        *,
        dry_run: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Never mails the addresses of a list again; `reason` is for lines that give none."""
        report = ImportReport(dry_run, left_out=roster.layout.left_out)
        memory = _Memory()
        for batch in _batches(roster.rows()):
            report.read += len(batch)
            never: list[Suppression] = []
            for row in batch:
                try:
                    judged = self._suppression(row, reason, source, now)
                except UsageError as error:
                    report.skipped.append(Remark(line=row.line, email=row.email, reason=str(error)))
                    continue
                first, _ = memory.note(judged, row.line)
                if first:
                    report.repeated.append(Remark(line=row.line, email=row.email, reason=f"is in line {first} already"))
                else:
                    never.append(judged)
            fresh = await self._people.suppress_all(never, dry_run=dry_run) if never else []
            report.suppressed += sum(fresh)
            report.unchanged += len(fresh) - sum(fresh)
            if progress is not None:
                progress(report.read)
        return report

    def _suppression(self, row: Row, reason: SuppressionReason, source: str, now: datetime) -> Suppression:
        if row.fault:
            raise UsageError(row.fault)
        address = parse_address(row.email)
        return Suppression(
            address_hash=self._tokens.address_hash(address.key),
            address=address.key,
            reason=_reason(row) if row.reason else reason,
            at=now,
            origin=_origin(source),
        )

    async def _take(
        self, batch: Sequence[Row], wish: Instructions, memory: "_Memory", report: ImportReport, now: datetime
    ) -> None:
        wanted: list[tuple[Row, Enrolment]] = []
        never: list[tuple[Row, Suppression]] = []
        again: set[int] = set()
        for row in batch:
            try:
                judged = self._judged(row, wish, now)
            except UsageError as error:
                report.skipped.append(Remark(line=row.line, email=row.email, reason=str(error)))
                continue
            first, said_no = memory.note(judged, row.line)
            if first:
                again.add(row.line)
                report.repeated.append(Remark(line=row.line, email=row.email, reason=f"is in line {first} already"))
            if isinstance(judged, Suppression):
                never.append((row, judged))
            elif said_no and judged.status is not SubscriptionStatus.UNSUBSCRIBED:
                reason = f"said no in line {said_no}"
                report.left_alone.append(Remark(line=row.line, email=row.email, reason=reason))
            else:
                wanted.append((row, judged))
        answers = await self._admitting.enrol([e for _, e in wanted], OPERATOR_LIMITS, now, dry_run=wish.dry_run)
        for (row, _), answer in zip(wanted, answers, strict=True):
            _count(report, row, answer, again=row.line in again)
        fresh = await self._people.suppress_all([each for _, each in never], dry_run=wish.dry_run) if never else []
        for (row, _), is_new in zip(never, fresh, strict=True):
            if row.line not in again:
                report.suppressed += is_new
                report.unchanged += not is_new

    def _judged(self, row: Row, wish: Instructions, now: datetime) -> Enrolment | Suppression:
        if row.fault:
            raise UsageError(row.fault)
        if row.status == SUPPRESSED:
            return self._suppression(row, SuppressionReason.MANUAL, wish.source, now)
        address = parse_address(row.email)
        evidence = on_one_line(row.consent or wish.consent, _LONGEST_EVIDENCE)
        status = _status(row, wish.confirmed or bool(evidence))
        newsletters = row.newsletters if row.newsletters is not None else wish.newsletters
        products = row.products if row.products is not None else wish.products
        if row.status == NOTHING:
            newsletters, products = (), products or ()
        elif status is SubscriptionStatus.UNSUBSCRIBED:
            # Whoever left without our knowing what has left everything.
            newsletters, products = row.newsletters or tuple(self._catalogue.newsletters), row.products or ()
        # Whoever says no is heard, whatever else stands in the line.
        leaves = status is SubscriptionStatus.UNSUBSCRIBED
        change = Change() if leaves else parse_wish(row.wishes, self._catalogue.site.timezone)
        status, change = _pause(status, change, now)
        enrolment = self._registrar.enrolment(
            address,
            status=status,
            event=ConsentEvent.UNSUBSCRIBED if status is SubscriptionStatus.UNSUBSCRIBED else ConsentEvent.IMPORTED,
            newsletters=newsletters,
            products=products,
            conditions=self._conditions(row),
            about=Particulars(name=row.name, language=row.language, timezone=row.timezone, attributes=row.attributes),
            proof=Proof(origin=_origin(wish.source), evidence=evidence, given_at=parse_consented(row.consented_at)),
            imported=True,
        )
        return replace(enrolment, wishes=self._choosing.wishes(enrolment.newsletters, change, now))

    def _conditions(self, row: Row) -> Conditions:
        zone = self._catalogue.site.timezone
        if row.archive_days and not (row.archive_days.isascii() and row.archive_days.isdigit()):
            raise UsageError(f"{row.archive_days!r} is no number of days")
        if row.embargo_cleared.lower() not in _YES_AND_NO:
            raise UsageError(f"{row.embargo_cleared!r} in embargo_cleared is neither true nor false")
        return Conditions(
            valid_from=parse_moment(row.valid_from, zone, end=False),
            valid_until=parse_moment(row.valid_until, zone, end=True),
            archive_days=int(row.archive_days[:9]) if row.archive_days else None,
            embargo_cleared=_YES_AND_NO[row.embargo_cleared.lower()],
        )


class _Memory:
    """Whom this list has spoken of: some forty bytes of a person, not their address."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}
        self._no: dict[int, int] = {}
        self._last = 0

    def note(self, judged: Enrolment | Suppression, line: int) -> tuple[int, int]:
        """Returns the earlier line about this person that is not just above, and the one that said no; 0: none."""
        key = hash(judged.address_hash)
        known = 0 if key == self._last else self._first.get(key, 0)
        self._first.setdefault(key, line)
        self._last = key
        said_no = self._no.get(key, 0)
        if isinstance(judged, Suppression) or judged.status is SubscriptionStatus.UNSUBSCRIBED:
            self._no.setdefault(key, line)
        return known, said_no


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Yields rows by the hundreds; those of one person that follow each other stay together."""
    batch: list[Row] = []
    for row in rows:
        if len(batch) >= _BATCH and row.email != batch[-1].email:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _status(row: Row, word: bool) -> SubscriptionStatus:
    """Returns the status that a line is taken in with; without anybody's `word` a yes has to be asked for."""
    if row.status == NOTHING:
        return SubscriptionStatus.CONFIRMED
    try:
        asked = SubscriptionStatus(row.status) if row.status else SubscriptionStatus.CONFIRMED
    except ValueError as error:
        names = ", ".join([*SubscriptionStatus, SUPPRESSED, NOTHING])
        raise UsageError(f"{row.status!r} is no status; there are {names}") from error
    return SubscriptionStatus.UNCONFIRMED if asked in CURRENT and not word else asked


def _pause(status: SubscriptionStatus, change: Change, now: datetime) -> tuple[SubscriptionStatus, Change]:
    """Returns the status of a line that may say when a pause ends, and what is wished for; the pause may be over."""
    if change.paused_until is None:
        return status, change
    if status is SubscriptionStatus.CONFIRMED:
        raise UsageError("paused_until is for lines whose status is paused")
    if change.paused_until > now:
        return status, change
    over = SubscriptionStatus.CONFIRMED if status is SubscriptionStatus.PAUSED else status
    return over, replace(change, paused_until=None)


def _origin(source: str) -> str:
    return f"import {on_one_line(source, _LONGEST_SOURCE)}"


def _reason(row: Row) -> SuppressionReason:
    try:
        return SuppressionReason(row.reason)
    except ValueError as error:
        names = ", ".join(SuppressionReason)
        raise UsageError(f"{row.reason!r} is no reason to suppress; there are {names}") from error


def _count(report: ImportReport, row: Row, answer: Enrolled, *, again: bool) -> None:
    if answer.suppressed:
        report.left_alone.append(Remark(line=row.line, email=row.email, reason=f"suppressed ({answer.suppressed})"))
        return
    if answer.kept_unsubscribed and row.status != SubscriptionStatus.UNSUBSCRIBED:
        names = ", ".join(answer.kept_unsubscribed)
        report.left_alone.append(Remark(line=row.line, email=row.email, reason=f"stays unsubscribed from {names}"))
    if again:
        return
    match answer.result:
        case EnrolmentResult.ADDED:
            report.added += 1
        case EnrolmentResult.UPDATED:
            report.updated += 1
        case _:
            report.unchanged += 1
    if answer.signup is not None and answer.result is not EnrolmentResult.LIMITED:
        report.confirmations += 1
