"""Looks at what mail and readers depend on and no test can know: relay, DNS, public address, disk, clock."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from publisher.errors import UnreachableError
from publisher.mail import policies
from publisher.mail.message import Sender
from publisher.model.checkup import Finding, RelayAnswer, failed, ok, skipped, warning
from publisher.model.delivery import Ending, Phase
from publisher.ports import Guard, NameServer, PublicWeb, RelayProbe, ReportMailbox

if TYPE_CHECKING:
    from publisher.mail.dkim import Record

_MUST_TAKE = 1024 * 1024
"""Octets: ten times what a digest may grow to."""
_CLOCK_OFF = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What config says of how the publication stands in the world."""

    url: str
    senders: tuple[Sender, ...]
    return_path: str
    """Empty: reports go to the sender."""
    contact: str
    postal_address: str
    sandbox: bool
    relay_is_named: bool
    """Whether config says more of the relay than the starter does."""
    signed: bool
    """Whether we sign ourselves."""
    proof: str
    """What our own `/healthz` says who it is, and nobody else's."""

    @property
    def domains(self) -> tuple[str, ...]:
        """Returns the domains that mail is from, each once."""
        return tuple(dict.fromkeys(sender.domain.lower() for sender in self.senders))

    @property
    def envelope_domain(self) -> str:
        """Returns the domain that receivers check SPF for (RFC 7208 §2.4)."""
        return (self.return_path or self.senders[0].address).rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorway:
    """One relay to be asked."""

    table: str
    """Where config tells of it: `smtp`, `relays.NAME`."""
    address: str
    """`host:port`."""
    encrypted: bool
    probe: RelayProbe


class Doctor:
    """Asks, judges nothing twice, changes nothing, and mails nobody."""

    def __init__(
        self,
        *,
        premises: Premises,
        record: "Callable[[], Record | None]",
        names: NameServer,
        web: PublicWeb,
        relays: Sequence[Doorway],
        mailbox: ReportMailbox | None,
        disk: Guard,
        remembered: Callable[[], Awaitable[datetime | None]],
    ) -> None:
        """`record`: the DNS record of the signing key; `remembered`: the latest moment that the store has noted."""
        self._premises = premises
        self._record = record
        self._names = names
        self._web = web
        self._relays = relays
        self._mailbox = mailbox
        self._disk = disk
        self._remembered = remembered

    async def examine(self, now: datetime) -> list[Finding]:
        """Returns what was found, in the order in which it is best mended."""
        return [
            *self.imprint(),
            self._room(),
            await self._time(now),
            *await self.address(now),
            *await self.relays(),
            *await self.records(),
            await self._reports(),
        ]

    def imprint(self) -> list[Finding]:
        """Returns whether config says who sends: what law and providers ask for, and what is still the starter's."""
        premises = self._premises
        found = []
        for sender in premises.senders:
            if policies.is_unreal(sender.domain):
                found.append(
                    failed("sender", f"{sender.address} is nobody's address", "set smtp.sender to one of your domain")
                )
            else:
                found.append(ok("sender", sender.address))
        if not premises.postal_address:
            found.append(
                warning(
                    "postal-address",
                    "site.postal_address is empty",
                    "say where you can be written to: the law of many countries asks for it in every bulk mail",
                )
            )
        else:
            found.append(ok("postal-address", premises.postal_address))
        contact = premises.contact.removeprefix("mailto:").partition("?")[0]
        if "@" in contact and policies.is_unreal(contact.rpartition("@")[2]):
            found.append(failed("contact", f"{contact} is nobody's address", "set site.contact to one that is read"))
        return found

    def _room(self) -> Finding:
        stop = self._disk.stop()
        if stop is None:
            return ok("disk", "there is room where var/ is")
        return failed("disk", stop.reason, "make room; until then no mail is begun")

    async def _time(self, now: datetime) -> Finding:
        last = await self._remembered()
        if last is not None and last > now + _CLOCK_OFF:
            says = f"the clock says {now:%Y-%m-%d %H:%M} UTC, but something was noted at {last:%Y-%m-%d %H:%M} UTC"
            return failed("clock", says, "set the machine's clock, and let it be kept right (NTP)")
        return ok("clock", f"{now:%Y-%m-%d %H:%M} UTC")

    # The public address -----------------------------------------------------------------------------------------------

    async def address(self, now: datetime) -> list[Finding]:
        """Returns whether readers reach us where every link leads."""
        about, url = "address", self._premises.url
        host = urlsplit(url).hostname or ""
        if host in ("localhost", "127.0.0.1", "::1"):
            return [failed(about, f"{url} is this machine only", "set site.url to the address that readers reach")]
        if policies.is_unreal(host) and not _is_number(host):
            return [failed(about, f"{url} is nobody's address", "set site.url to the address that readers reach")]
        found = []
        if not url.startswith("https:"):
            remedy = "serve it by https (a proxy such as Caddy or nginx does it): one-click unsubscribing needs it"
            found.append(failed("https", f"{url} is not encrypted", remedy))
        try:
            answer = await self._web.get(f"{url}/healthz")
        except UnreachableError as error:
            remedy = "start publisher run, and see to it that the proxy in front of it passes everything on"
            return [*found, failed(about, f"{url} does not answer: {error}", remedy)]
        if self._premises.proof.encode() not in answer.body:
            led = f", which leads to {answer.location}" if answer.location else ""
            remedy = "see to it that this address reaches publisher run (docs/running.md, Another web server)"
            says = f"{url}/healthz answers {answer.status}{led}: that is not this publication"
            return [*found, failed(about, says, remedy)]
        found.append(ok(about, f"{url} reaches this publication"))
        if answer.at is not None and abs(answer.at - now) > _CLOCK_OFF:
            says = f"the web server says {answer.at:%H:%M} UTC, this machine {now:%H:%M}"
            found.append(warning("clock", says, "let both clocks be kept right (NTP)"))
        return found

    # The relay --------------------------------------------------------------------------------------------------------

    async def relays(self) -> list[Finding]:
        """Returns whether each relay lets us in, and takes mails like ours."""
        return [finding for relay in self._relays for finding in await self._relay(relay)]

    async def _relay(self, relay: Doorway) -> list[Finding]:
        about = relay.table
        if about == "smtp" and self._premises.sandbox and not self._premises.relay_is_named:
            return [skipped(about, "smtp.sandbox is on and [smtp] names no relay yet")]
        answer = await relay.probe.ask()
        if isinstance(answer, Ending):
            remedy = _REMEDIES.get(answer.phase, _ASK).replace("smtp.", f"{about}.")
            return [failed(about, f"{relay.address}: {_told(answer)}", remedy)]
        sealed = "encrypted" if relay.encrypted else "on this machine"
        quick = "one round trip a mail" if answer.pipelining else "line by line: it offers no PIPELINING"
        found = [ok(about, f"{relay.address} lets us in, {sealed}, {quick}")]
        return [*found, *_limits(about, answer)]

    # DNS --------------------------------------------------------------------------------------------------------------

    async def records(self) -> list[Finding]:
        """Returns whether DNS says what receivers ask for."""
        premises = self._premises
        real = [domain for domain in premises.domains if not policies.is_unreal(domain)]
        if not real:
            return [skipped("dns", "no sender has a real domain yet")]
        found = [await self._judged("dns.mx", domain, self._exchangers) for domain in real]
        if not policies.is_unreal(premises.envelope_domain):
            found.append(await self._judged("dns.spf", premises.envelope_domain, self._spf))
        found.append(await self._signature())
        return [*found, *[await self._judged("dns.dmarc", domain, self._dmarc) for domain in real]]

    async def _judged(self, about: str, domain: str, look: Callable[[str], Awaitable[Finding]]) -> Finding:
        try:
            return await look(domain)
        except UnreachableError as error:
            return warning(about, str(error), "ask again, or name a server that answers: --nameserver 9.9.9.9")

    async def _exchangers(self, domain: str) -> Finding:
        return policies.mx(domain, await self._names.exchangers(domain))

    async def _spf(self, domain: str) -> Finding:
        return policies.spf(domain, await self._names.texts(domain))

    async def _dmarc(self, domain: str) -> Finding:
        for name in policies.dmarc_names(domain):
            if records := policies.dmarc_records(await self._names.texts(name)):
                return policies.dmarc(domain, records)
        return policies.dmarc(domain, ())

    async def _signature(self) -> Finding:
        record = self._record()
        if record is None:
            remedy = "if your relay does not sign your mail: publisher dkim new"
            return warning("dns.dkim", "mail is not signed here ([dkim])", remedy)

        async def look(name: str) -> Finding:
            return policies.dkim(record, await self._names.texts(name))

        return await self._judged("dns.dkim", record.name, look)

    # What comes back --------------------------------------------------------------------------------------------------

    async def _reports(self) -> Finding:
        about = "bounces"
        if not self._premises.return_path:
            remedy = "set smtp.return_path, so that dead addresses and complaints are noticed (docs/bounces.md)"
            return warning(about, "nobody reads what comes back", remedy)
        if self._mailbox is None:
            return ok(about, f"{self._premises.return_path}; no mailbox is read: hand reports on by file or hook")
        try:
            async with self._mailbox.session():
                return ok(about, f"{self._premises.return_path}: the mailbox lets us in")
        except UnreachableError as error:
            return failed(about, f"the mailbox for reports: {error}", "look at [bounces] in config.toml")


_ASK = "ask who runs the relay"
_REMEDIES = {
    Phase.CONNECT: "look at smtp.host and smtp.port, and whether a firewall lets us out",
    Phase.GREETING: 'look at smtp.port and smtp.security: 465 goes with "tls", 587 with "starttls"',
    Phase.HELLO: 'look at smtp.port and smtp.security: 465 goes with "tls", 587 with "starttls"',
    Phase.STARTTLS: "the relay must offer STARTTLS with a certificate for the name in smtp.host",
    Phase.AUTH: "look at smtp.username and smtp.password (or smtp.password_file)",
}


def _limits(about: str, answer: RelayAnswer) -> Sequence[Finding]:
    limit = answer.size_limit or 0
    if not 0 < limit < _MUST_TAKE:
        return ()
    says = f"it takes mails of {limit // 1024} KiB at most"
    return [warning(f"{about}.size", says, "a digest with many stories may be too large for it: ask for more")]


def _told(ending: Ending) -> str:
    reply = f"{ending.code or ''} {ending.text}".strip() or str(ending.fault or "")
    return f"at {ending.phase.value}: {reply}"


def _is_number(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
