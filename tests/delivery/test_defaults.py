"""What holds where nothing is configured: the settings, the documentation and the services say the same."""

import re
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path

from publisher.app import _policy
from publisher.model.delivery import Policy
from publisher.settings import DeliverySettings

TABLE = Path(__file__).parents[2] / "docs" / "configuration.md"


def documented() -> dict[str, str]:
    """Returns the defaults of `[delivery]` that the documentation gives."""
    section = TABLE.read_text().partition("| **`[delivery]`**")[2].partition("| **")[0]
    found = {}
    for line in section.splitlines()[1:]:
        keys, defaults = (re.findall(r"`([^`]+)`|(\d+)", cell) for cell in line.split("|")[1:3])
        values = ["".join(value) for value in defaults]
        found |= dict(zip_longest([key for key, _ in keys], values, fillvalue=values[-1] if values else ""))
    return found


def test_the_defaults_are_the_documented_ones() -> None:
    told = documented()
    assert set(told) == set(DeliverySettings.model_fields)
    assert DeliverySettings.model_validate({key: value for key, value in told.items() if value}) == DeliverySettings()


def test_a_service_keeps_to_them() -> None:
    assert _policy(DeliverySettings(), "UTC") == Policy()
    assert Policy() == Policy(
        connections=4,
        rate=0,
        per_domain=0,
        resend_uncertain=True,
        resend_after=timedelta(minutes=15),
        lease=timedelta(minutes=20),
        max_age=timedelta(hours=48),
        retry_after=timedelta(minutes=5),
        relay_pause=timedelta(seconds=60),
        window=None,
    )
