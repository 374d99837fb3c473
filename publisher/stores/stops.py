"""What stands still and why: relays that are left alone, issues that are paused. One conditional UPDATE each."""

from datetime import datetime

import sqlalchemy as sa

from publisher.model.delivery import RelayRecord, Route, Tally
from publisher.model.issue import DeliveryState, IssueKind, IssueState
from publisher.stores.claims import goes_by
from publisher.stores.database import Database, micros, moment
from publisher.stores.schema import deliveries, delivery_events, issues, relays

_RELAY = "relay: "
_COMPLAINT = "complaint"
_BOUNCED = ("hard",)
_TURNED_DOWN = ("refused", "content")
_DEAD = "address"


class Stops:
    """Stops and lets go; never touches a delivery."""

    def __init__(self, database: Database, *, sandbox: bool) -> None:
        """`sandbox`: whether mail goes to the sandbox's inbox at present; issues of the other mode are left alone."""
        self._database = database
        self._ours = issues.c.sandbox.is_(sandbox)
        self._being_sent = sa.and_(issues.c.state == IssueState.SENDING, self._ours)

    # Relays ----------------------------------------------------------------------------------------------------------

    async def relay(self, name: str) -> RelayRecord | None:
        """Returns what is known of a relay that is left alone; None: it is well, as far as anybody knows."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(relays).where(relays.c.name == name))).first()
        if row is None:
            return None
        return RelayRecord(
            open_until=moment(row.open_until),
            trips=row.trips,
            reason=row.reason,
            probe_until=moment(row.probe_until) if row.probe_until else None,
        )

    async def trip(self, name: str, record: RelayRecord) -> None:
        """Leaves a relay alone; of two processes that say so the later time wins."""
        values = {
            "name": name,
            "open_until": micros(record.open_until),
            "trips": record.trips,
            "reason": record.reason,
            "probe_until": 0,
        }
        statement = self._database.insert(relays).values(values)
        async with self._database.write() as connection:
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["name"],
                    set_={name: statement.excluded[name] for name in values if name != "name"},
                    where=relays.c.open_until < statement.excluded.open_until,
                )
            )

    async def probe(self, name: str, now: datetime, until: datetime) -> bool:
        """Takes the right to try a relay, alone to `until`; False: its time is not over, or somebody else tries."""
        async with self._database.write() as connection:
            taken = await connection.execute(
                sa.update(relays)
                .where(relays.c.name == name, relays.c.open_until <= micros(now), relays.c.probe_until <= micros(now))
                .values(probe_until=micros(until))
            )
            return taken.rowcount == 1

    async def mend(self, name: str) -> None:
        """Forgets that a relay was left alone: it is back."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(relays).where(relays.c.name == name))

    # Issues ----------------------------------------------------------------------------------------------------------

    async def pause_all(self, reason: str, route: Route) -> tuple[int, ...]:
        """Pauses what is being sent by a relay but for service mail; returns the issues' numbers."""
        sent = sa.and_(self._being_sent, issues.c.kind != IssueKind.MESSAGE, _goes_by(route))
        return await self._move(sent, IssueState.PAUSED, _RELAY + reason)

    async def resume_all(self, route: Route) -> tuple[int, ...]:
        """Lets go on what was paused because of its relay, and only that; returns the issues' numbers."""
        paused = sa.and_(issues.c.state == IssueState.PAUSED, self._ours, issues.c.stop_reason.startswith(_RELAY))
        return await self._move(sa.and_(paused, _goes_by(route)), IssueState.SENDING, None)

    async def pause(self, issue: int, reason: str) -> bool:
        """Pauses one issue that is being sent, until it is released."""
        moved = await self._move(sa.and_(self._being_sent, issues.c.id == issue), IssueState.PAUSED, reason)
        return bool(moved)

    async def being_sent(self, route: Route) -> tuple[int, ...]:
        """Returns the issues that are being sent by a relay, but for service mail."""
        query = sa.select(issues.c.id).where(self._being_sent, issues.c.kind != IssueKind.MESSAGE, _goes_by(route))
        async with self._database.read() as connection:
            return tuple(await connection.scalars(query.order_by(issues.c.id)))

    async def tally(self, issue: int) -> Tally:
        """Returns what came back for an issue since it was last let go by hand."""
        released = sa.select(issues.c.released_at).where(issues.c.id == issue)
        async with self._database.read() as connection:
            since = await connection.scalar(released) or 0
        state, reason = deliveries.c.state, deliveries.c.reason
        # Those who have it are nearly all: where all of them count, the index has their number.
        lately = sa.or_(deliveries.c.ended_at.is_(None), deliveries.c.ended_at >= since) if since else sa.true()
        of_issue = sa.and_(deliveries.c.issue_id == issue, lately)
        good = sa.select(sa.func.count()).where(of_issue, state == DeliveryState.ACCEPTED)
        bad = sa.select(
            sa.func.count(),
            sa.func.count().filter(reason.in_(_TURNED_DOWN)),
            sa.func.count().filter(state == DeliveryState.REJECTED, reason == _DEAD),
        ).where(of_issue, state.in_((DeliveryState.REJECTED, DeliveryState.DEFERRED)))
        events = (
            sa.select(
                sa.func.count(sa.distinct(deliveries.c.id)).filter(delivery_events.c.kind == _COMPLAINT),
                sa.func.count(sa.distinct(deliveries.c.id)).filter(
                    delivery_events.c.kind.in_(_BOUNCED), deliveries.c.state != DeliveryState.REJECTED
                ),
            )
            .join(deliveries, deliveries.c.id == delivery_events.c.delivery_id)
            # SQLite would rather look for what came back of each of an issue's mails.
            .where(sa.func.coalesce(deliveries.c.issue_id, 0) == issue, delivery_events.c.at >= since)
        )
        async with self._database.read() as connection:
            accepted = (await connection.execute(good)).scalar_one()
            failed, refused, dead = (await connection.execute(bad)).one()
            complaints, bounced = (await connection.execute(events)).one()
        return Tally(
            tried=accepted + failed, accepted=accepted, refused=refused, dead=dead + bounced, complaints=complaints
        )

    async def _move(self, which: sa.ColumnElement[bool], state: IssueState, reason: str | None) -> tuple[int, ...]:
        statement = sa.update(issues).where(which).values(state=state, stop_reason=reason).returning(issues.c.id)
        async with self._database.write() as connection:
            return tuple(sorted(await connection.scalars(statement)))


def _goes_by(route: Route) -> sa.ColumnElement[bool]:
    """Whether an issue goes by one relay alone: where its mails may go by several, no relay stops the others."""
    if route.everything:
        return sa.true()
    return sa.and_(goes_by(route, issues.c.newsletter), issues.c.kind != IssueKind.EMBARGO)
