"""Where a mail or a private feed differs from person to person.

A rendering is shared by everybody with the same outcome; the few personal
values are put in later, at markers of two private-use characters that
`content` removes from every text, so nobody can write one into a story.
"""

OPEN = "\ue000"
CLOSE = "\ue001"

SLOTS = (
    "address",
    "name",
    "unsubscribe_url",
    "preferences_url",
    "feed_url",
    "confirm_url",
    "account_url",
    "move_url",
    "read_url",
)
"""The values a mail may ask for, all plain text; URLs are absolute."""


def marker(slot: str) -> str:
    """Returns the marker of a slot."""
    if slot not in SLOTS:
        raise KeyError(slot)
    return f"{OPEN}{slot}{CLOSE}"


MARKERS = {slot: marker(slot) for slot in SLOTS}
