"""The tables of docs/ledger.md: what the tests of the worked week hold the program to."""

import re
from pathlib import Path

_PAGE = (Path(__file__).parents[1] / "docs" / "ledger.md").read_text(encoding="utf-8")


def table(heading: str, number: int = 0) -> list[list[str]]:
    """Returns the rows of a section's table, without its head."""
    section = _PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in tables[number].splitlines()]
    return rows[2:]


MAILS = [row for row in table("Issues and mails") if row[0] != "notice"]
NOTICES = [row for row in table("Issues and mails") if row[0] == "notice"]
