"""`/hooks/bounce`: who may report, what is taken, and what is said to everybody else."""

import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from desks import DESKS, Desk, opened

import report_samples as samples
from ledger_rows import add_issue
from publications import ManualClock, make_publication
from publisher.mail.reports import LARGEST
from publisher.mail.tokens import ReturnPath
from publisher.model.issue import DeliveryState
from publisher.stores.schema import deliveries
from publisher.web.application import application
from publisher.web.health import Vitals
from report_samples import Mail

SECRET = "s" * 40


@pytest.fixture
async def desk(tmp_path: Path, client_of: Callable[..., Any]) -> AsyncIterator[Desk]:
    folder = make_publication(tmp_path / "wire", f'{DESKS}\n[bounces]\nhook_secret = "{SECRET}"\n')
    async with opened(folder, ManualClock(), client_of) as made:
        yield Desk(made.app, made.clock, client_of(application(made.app, Vitals())))


async def path_of(desk: Desk, reader: int) -> str:
    """Returns the return path of a mail that went out to a reader."""
    issue = await add_issue(desk.app.database, [reader])
    async with desk.app.database.write() as connection:
        await connection.execute(sa.update(deliveries).values(state=DeliveryState.ACCEPTED))
    return ReturnPath("bounces@wire.example", desk.app.tokens).of(issue, reader, "")


async def post(
    desk: Desk, body: bytes, content_type: str = "application/json", *, late: int = 0, secret: str = SECRET, **more: str
) -> Any:
    """Posts a signed body."""
    time = str(int(desk.clock.now().timestamp()) + late)
    signature = hmac.digest(secret.encode(), f"{time}.".encode() + body, "sha256").hex()
    headers = {
        "content-type": content_type,
        "x-publisher-timestamp": time,
        "x-publisher-signature": f"sha256={signature}",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return await desk.client.ask("POST", "/hooks/bounce", headers, body)


def document(**fields: str) -> bytes:
    """One report as JSON."""
    return json.dumps({"reports": [fields]}).encode()


async def suppressed(desk: Desk) -> list[str | None]:
    return [each.address for each in await desk.app.circulation.suppressions()]


async def test_a_signed_bounce_and_a_signed_complaint_count(desk: Desk) -> None:
    bounce = document(type="bounce", return_path=await path_of(desk, 1), status="5.1.1", diagnostic="smtp; 550 no")
    answer = await post(desk, bounce)
    assert answer.status == 200
    assert json.loads(answer.text)["reports"] == [
        {"kind": "bounce", "meaning": "hard", "effect": "suppressed", "issue": 1}
    ]
    assert json.loads((await post(desk, bounce)).text)["reports"][0]["effect"] == "repeated"
    complaint = document(type="complaint", return_path=await path_of(desk, 2))
    assert json.loads((await post(desk, complaint)).text)["reports"][0]["meaning"] == "complaint"
    assert sorted(map(str, await suppressed(desk))) == ["reader1@example.com", "reader2@example.com"]


async def test_a_whole_message_is_taken_too(desk: Desk) -> None:
    raw = samples.postfix(Mail(return_path=await path_of(desk, 3), recipient="reader3@example.com"))
    answer = await post(desk, raw, "message/rfc822")
    assert json.loads(answer.text)["reports"][0]["effect"] == "suppressed"
    answer = await post(desk, b"", "message/rfc822")
    assert (answer.status, json.loads(answer.text)["reports"][0]["kind"]) == (200, "unreadable")


async def test_a_signature_does_not_replace_the_proof(desk: Desk) -> None:
    """The service that signs can be mistaken, or fooled: what is not about a mail of ours does nothing."""
    await path_of(desk, 1)
    answer = await post(desk, document(type="complaint", recipient="reader1@example.com", return_path="bounces@x"))
    assert json.loads(answer.text)["reports"][0]["effect"] == "unproven"
    assert await suppressed(desk) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"secret": "x" * 40},
        {"late": -301},
        {"late": 301},
        {"x_publisher_signature": ""},
        {"x_publisher_signature": "sha256=é"},
        {"x_publisher_timestamp": ""},
        {"x_publisher_timestamp": "-1"},
        {"x_publisher_timestamp": "9" * 400},
        {"x_publisher_timestamp": "soon"},
    ],
    ids=str,
)
async def test_what_is_not_signed_just_now_is_refused(desk: Desk, changed: dict[str, Any]) -> None:
    body = document(type="complaint", return_path=await path_of(desk, 1))
    changed = {k: v.encode().decode("latin-1") if isinstance(v, str) else v for k, v in changed.items()}
    answer = await post(desk, body, **changed)
    assert (answer.status, answer.headers["content-type"]) == (401, "application/json")
    assert await suppressed(desk) == []
    assert await desk.app.bounces.tallies() == {}


async def test_the_signed_time_is_allowed_to_be_a_little_off(desk: Desk) -> None:
    body = document(type="complaint", return_path=await path_of(desk, 1))
    assert [(await post(desk, body, late=late)).status for late in (-299, 299)] == [200, 200]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"reports": 1}',
        b'{"reports": [{"type": "rumour"}]}',
        b'{"reports": [{"type": "bounce", "unknown": "x"}]}',
        b'{"reports": [{"type": "bounce", "status": 5}]}',
        b'{"reports": ' + b"[" * 100_000,
        b"\xff\xfe",
        json.dumps({"reports": [{"type": "bounce"}] * 101}).encode(),
    ],
    ids=range(10),
)
async def test_what_is_no_document_is_said_to_be_none(desk: Desk, body: bytes) -> None:
    answer = await post(desk, body)
    assert answer.status == 400
    assert json.loads(answer.text)["error"].startswith("the reports cannot be read: ")


async def test_other_answers(desk: Desk) -> None:
    assert (await post(desk, b"x" * (LARGEST + 1), "message/rfc822")).status == 413
    assert (await post(desk, b"x", "text/plain")).status == 415
    assert (await desk.client.get("/hooks/bounce")).status == 405
    assert (await desk.client.ask("POST", "/hooks/bounce", {}, b"{}")).status == 401


async def test_without_a_secret_there_is_no_hook(tmp_path: Path, client_of: Callable[..., Any]) -> None:
    async with opened(make_publication(tmp_path / "plain", DESKS), ManualClock(), client_of) as made:
        silent = Desk(made.app, made.clock, client_of(application(made.app, Vitals())))
        assert (await post(silent, b"{}", secret="")).status == 404
