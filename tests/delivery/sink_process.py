"""A mail server of its own process: takes everything, writes one line per message, is the only judge.

Each line of its log: recipient, Message-ID, octets, the moment by its own clock; written before the answer. As a
script it takes LOG [SECONDS-BEFORE-THE-ANSWER] and prints its port.
"""

import asyncio
import os
import re
import sys
import time
from pathlib import Path

_IDENTITY = re.compile(rb"(?m)^Message-ID: (\S+)\r$")
_RECIPIENT = re.compile(r"<([^>]*)>")


async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: int, delay: float) -> None:
    """Talks with one client until it leaves."""
    recipient = ""
    writer.write(b"220 sink\r\n")
    try:
        while line := (await reader.readline()).decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                match = _RECIPIENT.search(line)
                recipient = match[1] if match else ""
            if verb == "DATA":
                writer.write(b"354 go\r\n")
                message = await reader.readuntil(b"\r\n.\r\n")
                identity = _IDENTITY.search(message)
                name = identity[1].decode() if identity else "-"
                os.write(log, f"{recipient} {name} {len(message)} {time.time():.6f}\n".encode())
                await asyncio.sleep(delay)
            offers = b"250-sink\r\n250 PIPELINING\r\n"
            writer.write({"QUIT": b"221 bye\r\n", "EHLO": offers}.get(verb, b"250 2.0.0 ok\r\n"))
            if verb == "QUIT":
                break
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main(path: str, delay: float, at: int, *, aloud: bool) -> None:
    """Serves until killed; the port stands in a file beside the log."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = await asyncio.start_server(lambda r, w: session(r, w, log, delay), "127.0.0.1", at, limit=2**22)
    port = Path(f"{path}.port")
    if aloud:
        print(server.sockets[0].getsockname()[1], flush=True)
    Path(f"{path}.new").write_text(str(server.sockets[0].getsockname()[1]))
    Path(f"{path}.new").rename(port)
    await server.serve_forever()


def serve(path: str, delay: float = 0.0, port: int = 0, *, aloud: bool = False) -> None:
    """The process, at a port or at any; `aloud`: it prints its port too."""
    asyncio.run(main(path, delay, port, aloud=aloud))


if __name__ == "__main__":
    serve(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.0, aloud=True)
