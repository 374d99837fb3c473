"""Nodemailer's pool as a peer: fetched with npm outside of the repository, and left out where that cannot be."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

from publisher.mail.dkim import new_key

_VERSION = "nodemailer@10"
_SECONDS = 120
_SCRIPT = """
const { folder, port, connections, messages, mail, dkim } = JSON.parse(process.argv[1]);
const pool = require(folder + "/node_modules/nodemailer").createTransport({
  pool: true, maxConnections: connections, maxMessages: Infinity,
  host: "127.0.0.1", port, secure: false, ignoreTLS: true, name: "client.example", dkim,
});
let next = 0;
async function sender() {
  while (next < messages) {
    const number = next++;
    const url = `https://bench.example/unsubscribe/${number}`;
    await pool.sendMail({
      from: "Benchmark <news@bench.example>", to: `Reader ${number} <reader${number}@example.com>`, subject: "News",
      text: mail.text.replaceAll("NAME", `Reader ${number}`).replaceAll("URL", url),
      html: mail.html.replaceAll("NAME", `Reader ${number}`).replaceAll("URL", url),
      list: { unsubscribe: url },
    });
  }
}
const before = process.cpuUsage(), began = process.hrtime.bigint();
Promise.all(Array.from({ length: 2 * connections }, sender)).then(() => {
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify([(user + system) / 1e6, Number(process.hrtime.bigint() - began) / 1e9]));
  pool.close();
});
"""

Way = Callable[[int], tuple[float, float]]


@cache
def fetched() -> Path | str:
    """Returns the folder that holds it, in the user's cache; or why there is none."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are missing"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "publisher-benchmarks"
    if (folder / "node_modules" / "nodemailer").is_dir():
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", _VERSION],
            check=True, capture_output=True, timeout=_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "npm could not fetch it"
    return folder


def pool(folder: Path, connections: int, messages: int, text: str, html: str, *, signed: bool) -> Way:
    """Returns what sends so many composed mails to a port, and the seconds of CPU and of wall that one takes."""
    told = {
        "folder": str(folder),
        "connections": connections,
        "messages": messages,
        "mail": {"text": text, "html": html},
    }
    if signed:
        told["dkim"] = {"domainName": "bench.example", "keySelector": "bench", "privateKey": new_key().decode()}

    def work(port: int) -> tuple[float, float]:
        run = ["node", "-e", _SCRIPT, json.dumps({**told, "port": port})]
        done = subprocess.run(run, check=True, capture_output=True, text=True, timeout=_SECONDS)
        cpu, wall = json.loads(done.stdout)
        return cpu / messages, wall / messages

    return work
