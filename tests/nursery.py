"""Processes that are forked from one which has everything loaded: they start at once, and die as any other."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from functools import cache
from multiprocessing import forkserver
from typing import Any

_PROCESSES = multiprocessing.get_context("forkserver")
_LOADED = ["worker_process", "sink_process", "acceptance.shifted", "acceptance.relay_process"]


def process(work: Callable[..., object], *arguments: object) -> Any:
    """Starts a process that does some work; what `work` exits with is its exit code."""
    _start()
    made = _PROCESSES.Process(target=work, args=arguments, daemon=True)
    made.start()
    return made


@cache
def _start() -> None:
    """Starts the process that others are forked from; before 3.13 it does not know our path."""
    _PROCESSES.set_forkserver_preload(_LOADED)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
