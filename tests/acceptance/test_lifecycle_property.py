"""Whatever happens to a story, in whatever order: ids stay, nobody is mailed twice, and those are told who must be.

A state machine of random histories over a small model of what readers were sent. `make endure` plays many more.
"""

import asyncio
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import publisher.app
from acceptance.stage import CONFIG
from feeds.feed_rules import check_atom, check_json, check_rss
from publications import ManualClock, make_publication, write
from publisher.app import App, open_app
from publisher.model import delivery
from publisher.service import Service

ENDURE = "PROPERTY_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "8"))
STEPS = int(os.environ.get("PROPERTY_STEPS", "16"))
OPEN = {"pending", "claimed", "in_flight", "deferred"}
READERS = {
    "alerted@reader.example": (("*",), ("alerts",)),
    "both@reader.example": (("*",), ("daily", "alerts")),
    "asia@reader.example": (("asia",), ("daily",)),
    "sport@reader.example": (("sport",), ("alerts",)),
    "public@reader.example": ((), ("bulletin",)),
    "feed@reader.example": (("*",), ()),
}
NOTICES = ("Correction", "KILL", "HOLD", "May be used", "Withdrawn")


@dataclass
class Post:
    """A transport that keeps what it is given, as a relay does that never says no."""

    letters: ClassVar[list[delivery.Letter]] = []

    async def ready(self) -> None:
        """Is always ready."""

    def post(
        self,
        letter: delivery.Letter,
        in_flight: Callable[[], Awaitable[bool]],
        tell: Callable[[delivery.Ending | BaseException], None],
    ) -> "asyncio.Task[None]":
        async def kept() -> None:
            assert await in_flight()
            self.letters.append(letter)
            tell(delivery.Ending(phase=delivery.Phase.BODY, code=250, text="2.0.0 kept"))

        return asyncio.ensure_future(kept())

    async def send(self, letter: delivery.Letter, in_flight: Callable[[], Awaitable[bool]]) -> delivery.Ending:
        raise NotImplementedError

    async def close(self) -> None:
        """Has nothing to close."""


@dataclass(frozen=True)
class Mail:
    """One mail as its reader sees it."""

    to: str
    subject: str
    text: str

    @property
    def notice(self) -> str:
        return next((word for word in NOTICES if self.subject.startswith(word)), "")


@dataclass
class Tale:
    """What the model knows of one story."""

    key: str
    path: str
    section: str
    access: str
    urgency: str
    version: int = 1
    status: str = "published"
    updated: str = ""
    notes: list[str] = field(default_factory=list)
    standing: bool = True
    """Whether its file is there."""
    killed: bool = False
    updates: int = 0

    def file(self) -> str:
        lines = [
            f"title: Story {self.key}", f"deck: Deck {self.key}", f"section: {self.section}", f"access: {self.access}",
            f"urgency: {self.urgency}", f"slug: story-{self.key}", f"status: {self.status}",
        ]  # fmt: skip
        lines += ["kill_reason: It never happened"] if self.status == "killed" else []
        lines += [f"updated: {self.updated}"] if self.updated else []
        lines += ["corrections:"] if self.notes else []
        lines += [
            f"  - {{date: {moment}, kind: correction, text: {note}}}" for note, moment in map(_halves, self.notes)
        ]
        matter = "\n".join(lines)
        return f"---\n{matter}\n---\n\nLead {self.key}.\n\nText {self.key} version {self.version} end.\n"


def _halves(note: str) -> tuple[str, str]:
    words, _, moment = note.partition("|")
    return words, moment


class Publication(RuleBasedStateMachine):
    """One agency with six readers, and everything that may happen to it."""

    tales = Bundle("tales")
    template: ClassVar[Path]

    @initialize()
    def begin(self) -> None:
        """Opens an empty publication and lets its readers in."""
        self.home = Path(tempfile.mkdtemp(prefix="publisher-property-"))
        self.folder = make_publication(self.home / "wire", _sandboxed(CONFIG))
        (self.folder / "var").mkdir(mode=0o700)
        shutil.copy(self.template, self.folder / "var" / "publisher.db")
        self.clock = ManualClock()
        Post.letters = []
        self.seen_mails = 0
        self.known: dict[str, Tale] = {}
        self.identities: dict[str, str] = {}
        self.had: dict[str, set[str]] = defaultdict(set)
        """Who was sent anything of a story, by its key."""
        self.expected: Counter[tuple[str, str]] = Counter()
        self.newsletters: Counter[tuple[str, str]] = Counter()
        self.texts: Counter[tuple[str, str, int]] = Counter()
        self.notices: Counter[tuple[str, str]] = Counter()
        self.left: set[str] = set()
        self.lapsed: set[str] = set()
        self.numbers = 0
        self.runner = asyncio.Runner()
        self._do(self._open())
        self._do(self._enrol())
        self._pass()

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self._do(self._close())
            self.runner.close()
            shutil.rmtree(self.home)

    # What may happen --------------------------------------------------------------------------------------------------

    @rule(
        target=tales,
        section=st.sampled_from(["asia-pacific", "sport", "economy"]),
        access=st.sampled_from(["summary", "summary", "public", "subscriber"]),
        urgency=st.sampled_from(["routine", "flash"]),
    )
    def write_story(self, section: str, access: str, urgency: str) -> str:
        self.numbers += 1
        key = f"k{self.numbers}x"
        self.known[key] = Tale(key, f"{section}/{key}.md", section, access, urgency)
        self._save(self.known[key])
        return key

    @rule(key=tales)
    def mend_a_typo(self, key: str) -> None:
        tale = self.known[key]
        tale.version += 1
        self._save(tale)

    @rule(key=tales)
    def update(self, key: str) -> None:
        tale = self.known[key]
        tale.version += 1
        tale.updates += 1
        tale.updated = self.clock.now().isoformat()
        self._save(tale)

    @rule(key=tales)
    def correct(self, key: str) -> None:
        tale = self.known[key]
        tale.version += 1
        self.numbers += 1
        told = tale.standing and tale.status == "published" and not tale.killed
        tale.notes.append(f"Note n{self.numbers}x|{self.clock.now().isoformat()}")
        if told:
            self._expect("Correction", key)
        self._save(tale)

    @rule(key=tales)
    def hold(self, key: str) -> None:
        self._turn(key, "held", "HOLD", before="published")

    @rule(key=tales)
    def release(self, key: str) -> None:
        self._turn(key, "published", "May be used", before="held")

    @rule(key=tales)
    def kill(self, key: str) -> None:
        tale = self.known[key]
        if not tale.killed and tale.standing:
            self._expect("KILL", key)
            tale.killed = True
        tale.status = "killed"
        self._save(tale)

    @rule(key=tales)
    def publish_again(self, key: str) -> None:
        """Saves the file as published: that brings back what was held, and never what was killed."""
        tale = self.known[key]
        if tale.standing and tale.status == "held":
            self._turn(key, "published", "May be used", before="held")
            return
        tale.status = "published"
        self._save(tale)

    @rule(key=tales, folder=st.sampled_from(["", "moved/", "moved/deeper/"]), again=st.booleans())
    def move(self, key: str, folder: str, again: bool) -> None:
        tale = self.known[key]
        if not tale.standing:
            return
        target = f"{folder}{key}{'-renamed' if again else ''}.md"
        if target == tale.path:
            return
        (self.folder / "articles" / target).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / "articles" / tale.path).rename(self.folder / "articles" / target)
        tale.path = target
        self._pass()

    @rule(key=tales)
    def delete(self, key: str) -> None:
        tale = self.known[key]
        if tale.standing:
            (self.folder / "articles" / tale.path).unlink()
            tale.standing = False
            self._pass()

    @rule(key=tales)
    def restore(self, key: str) -> None:
        tale = self.known[key]
        if not tale.standing:
            if tale.status == "killed" and not tale.killed:
                tale.status = "published"
            self._save(tale)

    @rule(key=consumes(tales))
    def forget(self, key: str) -> None:
        """Leaves a story alone from now on, as most are."""
        assert key in self.known

    @rule(minutes=st.sampled_from([1, 45, 8 * 60, 24 * 60, 25 * 60]))
    def wait(self, minutes: int) -> None:
        self.clock.move(minutes=minutes)
        self._pass()

    @rule()
    def restart(self) -> None:
        self._do(self._close())
        self._do(self._open())
        self._pass()

    @rule(name=st.sampled_from(["wire.example", "news.example"]), scheme=st.sampled_from(["http", "https"]))
    def change_domain(self, name: str, scheme: str) -> None:
        self._do(self._close())
        make_publication(self.folder, _sandboxed(CONFIG, f"{scheme}://{name}"))
        self._do(self._open())
        self._pass()

    @rule(address=st.sampled_from(["asia@reader.example", "both@reader.example"]), ends=st.booleans())
    def change_licence(self, address: str, ends: bool) -> None:
        if ends and address in self.lapsed:
            return
        (self.lapsed.add if ends else self.lapsed.discard)(address)
        product = "asia" if address.startswith("asia") else "*"
        changes: dict[str, Any] = {"end": (product,)} if ends else {"renew": (product,)}
        self._do(self.app.circulation.edit(address, self.clock.now(), **changes))
        self._pass()

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        """A pause stops newsletters, never a notice."""
        self._do(self._pause("alerted@reader.example", paused=paused))
        self._pass()

    @rule()
    def unsubscribe(self) -> None:
        """Who has left is told nothing any more, whatever they got before."""
        self.left.add("sport@reader.example")
        self._do(self.app.circulation.edit("sport@reader.example", self.clock.now(), newsletters=()))
        self._pass()

    # What must hold ---------------------------------------------------------------------------------------------------

    @invariant()
    def ids_never_change_and_have_one_address(self) -> None:
        if not hasattr(self, "runner"):
            return
        addresses: Counter[str] = Counter()
        for article in self.app.publishing.known:
            key = article.title.removeprefix("Story ")
            assert self.identities.setdefault(key, article.id) == article.id, "an id changed"
        for article in self.app.publishing.intake.articles:
            addresses[article.path] += 1
        assert not [path for path, count in addresses.items() if count > 1]
        assert len(set(self.identities.values())) == len(self.identities), "two stories have one id"

    @invariant()
    def mails_are_as_they_must_be(self) -> None:
        if not hasattr(self, "runner"):
            return
        for (to, key), count in self.newsletters.items():
            assert count <= 1 + self.known[key].updates, f"{to} was mailed {key} {count} times"
        assert not [one for one, count in self.texts.items() if count > 1], "the same version twice"
        wanted = {one: count for one, count in self.expected.items() if count}
        assert dict(self.notices) == wanted

    @invariant()
    def feeds_are_valid(self) -> None:
        if not hasattr(self, "runner"):
            return
        feeds = self.folder / "public" / "feeds"
        check_rss((feeds / "all.rss").read_bytes())
        check_atom((feeds / "all.atom").read_bytes())
        check_json((feeds / "all.json").read_bytes())

    @invariant()
    def nothing_killed_is_shown(self) -> None:
        if not hasattr(self, "runner"):
            return
        killed = [tale.key for tale in self.known.values() if tale.killed]
        for path in (self.folder / "public").rglob("*"):
            if path.is_file() and killed:
                text = path.read_text(errors="replace")
                shown = [key for key in killed if f"Deck {key}" in text or f"Story {key}" in text]
                assert not shown, f"{path.name} shows {shown}"

    # How it is done ---------------------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def _turn(self, key: str, status: str, notice: str, *, before: str) -> None:
        tale = self.known[key]
        if tale.status != before or tale.killed or not tale.standing:
            return
        self._expect(notice, key)
        tale.status = status
        self._save(tale)

    def _expect(self, notice: str, key: str) -> None:
        for reader in self.had[key] - self.left:
            self.expected[reader, notice] += 1

    def _save(self, tale: Tale) -> None:
        write(self.folder, tale.path, tale.file())
        tale.standing = True
        self._pass()

    def _pass(self) -> None:
        self._do(self._go_round())

    async def _go_round(self) -> None:
        """Lets the service do what it does, until there is nothing more to do; then once more, in vain."""
        for _ in range(2):
            await self._once()
            self.clock.move(seconds=3)
        await self._once()
        report = await self.app.publishing.refresh(self.clock.now())
        assert (report.written, report.removed, report.taken.changes, report.taken.gone) == ([], [], [], [])
        self._read_mails()

    async def _once(self) -> None:
        await self.service._refresh()
        await self.service._plan()
        assert self.service._vitals.faults == {}
        for _ in range(2000):
            open_rows = await self.app.deliveries.unsettled(None)
            if not any(count for state, count in open_rows.items() if state.value in OPEN):
                return
            await asyncio.sleep(0.002)
        raise AssertionError(f"not delivered: {open_rows}")

    def _read_mails(self) -> None:
        fresh, self.seen_mails = Post.letters[self.seen_mails :], len(Post.letters)
        for mail in map(_mail, fresh):
            if mail.notice:
                self.notices[mail.to, mail.notice] += 1
                continue
            assert any(f"Deck {key}" in mail.text for key in self.known), f"{mail.to} was sent a mail without a story"
            for key, tale in self.known.items():
                if f"Deck {key}" not in mail.text:
                    continue
                assert not tale.killed, f"{mail.to} was sent {key} after its kill"
                self.had[key].add(mail.to)
                self.newsletters[mail.to, key] += 1
                for version in range(1, tale.version + 1):
                    self.texts[mail.to, key, version] += f"Text {key} version {version} end" in mail.text

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        self.app: App = await self.stack.enter_async_context(open_app(self.folder, self.clock))
        await self.app.publishing.open()
        self.service = Service(self.app)
        self.stop = asyncio.Event()
        self.delivering = asyncio.create_task(self.app.delivering.run(self.stop))

    async def _close(self) -> None:
        self.stop.set()
        self.app.engine.ring()
        await self.delivering
        await self.stack.aclose()

    async def _enrol(self) -> None:
        for address, (products, newsletters) in READERS.items():
            await self.app.circulation.add(
                address, self.clock.now(), confirmed=True, products=products, newsletters=newsletters
            )

    async def _pause(self, address: str, *, paused: bool) -> None:
        person = await self.app.circulation.show(address)
        number = person.person.subscriber.number
        choosing, now = self.app.choosing, self.clock.now()
        await (choosing.pause(number, now) if paused else choosing.resume(number, now))


def _sandboxed(config: str, url: str = "https://wire.example") -> str:
    return config.replace("[site]\n", f'[site]\nurl = "{url}"\n', 1).replace("sandbox = false", "sandbox = true")


def _mail(letter: delivery.Letter) -> Mail:
    message = message_from_bytes(letter.message, policy=default)
    body = message.get_body(("plain",))  # type: ignore[attr-defined]
    return Mail(letter.recipient, str(message["Subject"]), str(body.get_content()))


def test_no_history_breaks_a_promise(migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, addresses, mails, notices, feeds: as promised after every step of every history."""
    monkeypatch.setattr(publisher.app, "SandboxTransport", lambda *_: Post())
    Publication.template = migrated_sqlite
    run_state_machine_as_test(
        Publication,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not ENDURE,
            phases=[Phase.generate, Phase.shrink] if ENDURE else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
