"""What the doctor makes of what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from publisher.errors import UnreachableError
from publisher.mail.dkim import Record
from publisher.mail.message import Sender
from publisher.model.checkup import Finding, RelayAnswer, Verdict, WebAnswer
from publisher.model.delivery import Ending, Fault, Phase, Stop
from publisher.services.doctor import Doctor, Doorway, Premises

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
RECORD = Record(name="news._domainkey.flow.press", value="v=DKIM1; k=rsa; p=AAAA")
SOUND = Premises(
    url="https://flow.press",
    senders=(Sender(name="Flow", address="news@flow.press"),),
    return_path="bounces@flow.press",
    contact="mailto:desk@flow.press",
    postal_address="1 Harbour Street",
    sandbox=False,
    relay_is_named=True,
    signed=True,
    proof="0123456789abcdef",
)
WELL_KNOWN: dict[str, tuple[str, ...]] = {
    "flow.press": ("v=spf1 include:relay.press -all",),
    "_dmarc.flow.press": ("v=DMARC1; p=none",),
    RECORD.name: (RECORD.value,),
}


@dataclass
class World:
    """What there is outside, as the ports tell it."""

    texts_by_name: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: WELL_KNOWN)
    web: WebAnswer | str = field(default_factory=lambda: WebAnswer(status=200, body=b'"0123456789abcdef"', at=NOW))
    relay: RelayAnswer | Ending = field(
        default_factory=lambda: RelayAnswer(size_limit=20_000_000, pipelining=True, reports=True)
    )
    room: Stop | None = None
    last: datetime | None = None
    asked: int = 0

    async def texts(self, name: str) -> tuple[str, ...]:
        return self.texts_by_name.get(name, ())

    async def exchangers(self, name: str) -> tuple[str, ...]:
        return ("mx.flow.press",)

    async def get(self, url: str) -> WebAnswer:
        if isinstance(self.web, str):
            raise UnreachableError(self.web)
        return self.web

    async def ask(self) -> RelayAnswer | Ending:
        self.asked += 1
        return self.relay

    def stop(self) -> Stop | None:
        return self.room

    async def remembered(self) -> datetime | None:
        return self.last


async def findings(premises: Premises = SOUND, world: World | None = None, *further: str) -> dict[str, Finding]:
    world = world or World()
    doctor = Doctor(
        premises=premises,
        record=lambda: RECORD if premises.signed else None,
        names=world,
        web=world,
        relays=[
            Doorway(table=table, address=f"{table}.press:465", encrypted=True, probe=world)
            for table in ("smtp", *further)
        ],
        mailbox=None,
        disk=world,
        remembered=world.remembered,
    )
    return {finding.about: finding for finding in await doctor.examine(NOW)}


async def test_a_sound_installation_has_nothing_to_mend() -> None:
    found = await findings()
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert not any(finding.remedy for finding in found.values())
    assert {"smtp", "dns.spf", "dns.dkim", "dns.dmarc", "dns.mx", "address", "clock", "disk", "sender"} <= set(found)


async def test_every_relay_is_asked_and_told_by_the_table_that_names_it() -> None:
    locked = World(relay=Ending(phase=Phase.AUTH, code=535, text="no"))
    found = await findings(SOUND, locked, "relays.bulk")
    assert locked.asked == 2
    assert found["relays.bulk"].verdict is Verdict.FAILED
    assert found["relays.bulk"].says.startswith("relays.bulk.press:465: at auth")
    assert "relays.bulk.username" in found["relays.bulk"].remedy
    assert "smtp.username" in found["smtp"].remedy


@pytest.mark.parametrize(
    ("premises", "about", "verdict"),
    [
        (replace(SOUND, url="http://127.0.0.1:8000"), "address", Verdict.FAILED),
        (replace(SOUND, url="https://flow.example"), "address", Verdict.FAILED),
        (replace(SOUND, url="http://flow.press"), "https", Verdict.FAILED),
        (replace(SOUND, senders=(Sender(name="", address="news@example.org"),)), "sender", Verdict.FAILED),
        (replace(SOUND, senders=(Sender(name="", address="news@example.org"),)), "dns", Verdict.SKIPPED),
        (replace(SOUND, postal_address=""), "postal-address", Verdict.WARNING),
        (replace(SOUND, contact="mailto:desk@example.org"), "contact", Verdict.FAILED),
        (replace(SOUND, return_path=""), "bounces", Verdict.WARNING),
        (replace(SOUND, signed=False), "dns.dkim", Verdict.WARNING),
        (replace(SOUND, sandbox=True, relay_is_named=False), "smtp", Verdict.SKIPPED),
    ],
)
async def test_what_config_lacks(premises: Premises, about: str, verdict: Verdict) -> None:
    finding = (await findings(premises))[about]
    assert finding.verdict is verdict
    assert finding.remedy or verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("world", "about", "verdict", "says"),
    [
        (World(web="refused"), "address", Verdict.FAILED, "refused"),
        (World(web=WebAnswer(status=200, body=b"another site")), "address", Verdict.FAILED, "not this publication"),
        (World(web=WebAnswer(status=301, body=b"", location="/x")), "address", Verdict.FAILED, "leads to /x"),
        (
            World(web=WebAnswer(status=200, body=b"0123456789abcdef", at=NOW + timedelta(hours=1))),
            "clock",
            Verdict.WARNING,
            "10:00",
        ),
        (World(last=NOW + timedelta(days=1)), "clock", Verdict.FAILED, "2026-11-26"),
        (World(room=Stop(code="disk", reason="1 MiB are free")), "disk", Verdict.FAILED, "1 MiB"),
        (World(relay=Ending(phase=Phase.AUTH, code=535, text="no")), "smtp", Verdict.FAILED, "at auth: 535 no"),
        (World(relay=Ending(phase=Phase.CONNECT, fault=Fault.TIMEOUT)), "smtp", Verdict.FAILED, "timeout"),
        (
            World(relay=RelayAnswer(size_limit=50_000, pipelining=False, reports=False)),
            "smtp.size",
            Verdict.WARNING,
            "48 KiB",
        ),
        (World(texts_by_name={}), "dns.dkim", Verdict.FAILED, "not in DNS"),
    ],
)
async def test_what_the_world_says(world: World, about: str, verdict: Verdict, says: str) -> None:
    finding = (await findings(world=world))[about]
    assert finding.verdict is verdict
    assert says in finding.says


async def test_a_sandbox_that_names_no_relay_asks_none() -> None:
    world = World()
    await findings(replace(SOUND, sandbox=True, relay_is_named=False), world)
    assert world.asked == 0


async def test_a_policy_of_the_domain_above_counts() -> None:
    premises = replace(SOUND, senders=(Sender(name="", address="a@news.flow.press"),))
    assert (await findings(premises))["dns.dmarc"].verdict is Verdict.OK
