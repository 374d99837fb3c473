"""What this machine can show of a delivery that goes wrong."""

import shutil
import subprocess

collect_ignore: list[str] = []
if (
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode
):
    collect_ignore.append("test_full_disk.py")


def pytest_report_header() -> list[str]:
    """Says what is left out, and why."""
    return [f"{name} is left out: a file system cannot be mounted in a namespace here" for name in collect_ignore]
