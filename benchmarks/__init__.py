"""Measurements; the servers of the tests, which are used here, find each other by their bare names."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
