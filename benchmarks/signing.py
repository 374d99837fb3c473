"""What a signature costs: the bare RSA operation, and a whole mail filled with and without one."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from publisher.mail.dkim import Signer, new_key, read_key
from publisher.mail.mailing_list import MailingList
from publisher.mail.message import Personal, Prepared, Sender, fill, prepare
from publisher.model.issue import MailText
from publisher.model.personal import MARKERS

_RUNS = 7
_SECONDS = 0.4
"""Of CPU, per run and way of working; the runs of all ways take turns."""
_STORY = "Words of a story that nobody will ever read, and a few more of them. " * 4
_FOOT = f"{MARKERS['unsubscribe_url']} {MARKERS['preferences_url']}"
_MAIL = MailText(
    subject="Twenty stories from the benchmark",
    preheader="",
    text=f"Dear {MARKERS['name']},\n\n" + f"{_STORY}\n\n" * 40 + f"{_FOOT}\n",
    html=f"<p>Dear {MARKERS['name']},</p>\n" + f"  <tr>\n    <td>{_STORY}</td>\n  </tr>\n" * 50 + f"<p>{_FOOT}</p>\n",
)
_URL = "https://bench.example/unsubscribe/v1.abcdef.MTIzNDU2IGRhaWx5.aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHiJkLmNoPq"


def table() -> str:
    """Returns the table of docs/benchmarks.md."""
    signer = Signer("bench.example", "bench", read_key(new_key()))
    told = b"x" * 1500
    plain, signed = _prepared(None), _prepared(signer)
    ways: dict[str, Callable[[], object]] = {
        "a bare RSA-2048 signature": lambda: signer.key.sign(told, PKCS1v15(), SHA256()),
        "a mail filled and signed": lambda: fill(signed, _reader()),
        "a mail filled, unsigned": lambda: fill(plain, _reader()),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(_RUNS):
        for way, work in ways.items():
            rates[way].append(_per_second(work))
    found = {way: statistics.median(each) for way, each in rates.items()}
    bare = next(iter(found.values()))
    octets = len(fill(signed, _reader()))
    lines = [f"| one core, {octets / 1024:.0f} KB a mail | per second | CPU ms each | of the bare rate |"]
    lines.append("|---|---:|---:|---:|")
    lines += [f"| {way} | {rate:,.0f} | {1000 / rate:.3f} | {rate / bare:.2f} |" for way, rate in found.items()]
    return "\n".join(lines)


def _per_second(work: Callable[[], object]) -> float:
    began = time.process_time()
    done = 0
    while (spent := time.process_time() - began) < _SECONDS:
        work()
        done += 1
    return done / spent


def _prepared(signer: Signer | None) -> Prepared:
    return prepare(
        _MAIL,
        sender=Sender(name="Benchmark", address="news@bench.example"),
        mailing_list=MailingList(
            id="daily", title="Daily", help_url="https://bench.example/subscribe", owner="mailto:desk@bench.example"
        ),
        signer=signer,
    )


def _reader() -> Personal:
    return Personal(
        name="Ayşe Öğütçü",
        address="ayse@reader.example",
        message_id="<i7.abcdefghijklmnopqrstuvwxyz@bench.example>",
        at=datetime(2026, 3, 4, 6, 30, 5, tzinfo=UTC),
        unsubscribe_url=_URL,
        values={"name": "Ayşe Öğütçü", "unsubscribe_url": _URL, "preferences_url": _URL},
    )
