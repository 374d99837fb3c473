"""A mail server of its own process: takes everything, writes one line per message, is the only judge.

Arguments: LOG. Prints its port. Each line of the log: recipient, Message-ID, octets; written before the answer.
"""

import asyncio
import os
import re
import sys

_IDENTITY = re.compile(rb"(?m)^Message-ID: (\S+)\r$")
_RECIPIENT = re.compile(r"<([^>]*)>")


async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: int) -> None:
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
                entry = f"{recipient} {identity[1].decode() if identity else '-'} {len(message)}\n"
                os.write(log, entry.encode())
            offers = b"250-sink\r\n250 PIPELINING\r\n"
            writer.write({"QUIT": b"221 bye\r\n", "EHLO": offers}.get(verb, b"250 2.0.0 ok\r\n"))
            if verb == "QUIT":
                break
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main(path: str) -> None:
    """Serves until killed."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = await asyncio.start_server(lambda r, w: session(r, w, log), "127.0.0.1", 0, limit=2**22)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(sys.argv[1]))
