"""The benchmarks take servers from the tests, without pytest's ways to find them."""

import subprocess
import sys
from pathlib import Path


def test_make_bench_finds_all_it_needs() -> None:
    subprocess.run([sys.executable, "-c", "import benchmarks.__main__"], cwd=Path(__file__).parents[1], check=True)
