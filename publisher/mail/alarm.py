"""When an issue must stop until somebody has looked at it: what comes back says that something is wrong with it.

Figures are those of one issue since it was last let go by hand; codes and
shares are the large receivers' (0.1 % complaints is their target, 0.3 % their limit).
"""

from publisher.model.delivery import Tally

_CONTENT_SHARE = 0.02
_CONTENT_FEWEST = 5
_BOUNCE_SHARE = 0.05
_BOUNCE_FEWEST = 10
"""The share of the first 200; later, too, for whoever sends fast is beyond them before anybody looks."""
_COMPLAINT_WARNS = 0.001
_COMPLAINT_STOPS = 0.003
_COMPLAINT_FEWEST = 2
"""One person's anger is no pattern, however short the list."""


def alarm(tally: Tally) -> str | None:
    """Returns why the issue must stop, as `code: sentence`; None: it may go on."""
    if tally.refused >= max(_CONTENT_FEWEST, _CONTENT_SHARE * tally.tried):
        return f"content: {tally.refused} of {tally.tried} mails were refused for what they say or who they are from"
    if tally.dead >= max(_BOUNCE_FEWEST, _BOUNCE_SHARE * tally.tried):
        return f"bounces: {tally.dead} of {tally.tried} addresses do not exist"
    if tally.complaints >= max(_COMPLAINT_FEWEST, _COMPLAINT_STOPS * tally.accepted):
        return f"complaints: {tally.complaints} of {tally.accepted} readers have complained"
    return None


def warning(tally: Tally) -> str | None:
    """Returns what is out of the ordinary but stops nothing, as `code: sentence`."""
    if tally.complaints and tally.complaints >= _COMPLAINT_WARNS * tally.accepted:
        return f"complaints: {tally.complaints} of {tally.accepted} readers have complained"
    return None
