"""A mail relay in a process of its own: keeps every message, whole, and answers as a script says.

Its port stands in FOLDER/port. Each attempt becomes FOLDER/NNNNN.json (recipient, sender, answer, real
time) and FOLDER/NNNNN.eml, both there before the answer is given. FOLDER/script.json, read at every message, may hold
`{"answers": {ADDRESS: ["451 4.7.1 later", …]}, "pause_seconds": 0.2}`: the n-th attempt of an address gets the n-th
answer, later ones 250. An answer that is empty is never given: the mail is kept, and the sender waits.
"""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Relay:
    """What aiosmtpd calls with each message."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._attempts: Counter[str] = Counter()
        self._kept = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        script = self._script()
        await asyncio.sleep(script.get("pause_seconds", 0))
        [recipient] = envelope.rcpt_tos
        answers = script.get("answers", {}).get(recipient, [])
        attempt = self._attempts[recipient]
        self._attempts[recipient] += 1
        answer = answers[attempt] if attempt < len(answers) else "250 2.0.0 kept"
        self._keep(recipient, envelope, answer)
        if not answer:
            await asyncio.Event().wait()
        return answer

    def _script(self) -> dict[str, Any]:
        path = self._folder / "script.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def _keep(self, recipient: str, envelope: Envelope, answer: str) -> None:
        name = f"{self._kept:05}"
        self._kept += 1
        content = envelope.content
        assert isinstance(content, bytes)
        (self._folder / f"{name}.eml").write_bytes(content)
        told = {"recipient": recipient, "sender": envelope.mail_from, "answer": answer, "at": time.time()}
        made = self._folder / f".{name}.tmp"
        made.write_text(json.dumps(told))
        made.replace(self._folder / f"{name}.json")


async def serve(folder: Path, port: int) -> None:
    """Serves until killed."""
    loop = asyncio.get_running_loop()
    relay = Relay(folder)
    server = await loop.create_server(
        lambda: SMTP(relay, hostname="relay.example", data_size_limit=2**25, loop=loop), host="127.0.0.1", port=port
    )
    made = folder / ".port.tmp"
    made.write_text(str(server.sockets[0].getsockname()[1]))
    made.replace(folder / "port")
    await server.serve_forever()


def work(folder: Path, port: int) -> None:
    """The process."""
    asyncio.run(serve(folder, port))
