"""Ports for servers that are told theirs before they start."""

import itertools
import os
import random
import socket

_OWN = range(10_000, 30_000)
"""Below those that the system gives to whoever asks for any, clients among them: nobody takes one in between."""
_chance = random.Random(os.getpid())
_turns = itertools.count(_chance.randrange(len(_OWN)))


def free_port() -> int:
    """Returns a port that nobody listens at, and that no other process of the tests is told soon."""
    while True:
        port = _OWN[next(_turns) % len(_OWN)]
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
