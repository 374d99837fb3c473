"""Keeps a mail short enough to be shown whole: programs cut off what is longer (decisions 11).

Gmail shows about 102 KB. What does not fit goes in a few lines, and its reader
has all of it on a page of their own. The size is that of the encoded parts,
with room for what is personal: the same stories, the same cut.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from publisher.editorial.rendition import bare, beginning, brief
from publisher.mail.encoding import encoded_size
from publisher.model.issue import Edition, MailText
from publisher.model.personal import OPEN
from publisher.model.view import FullView, View

LONGEST = 90_000
"""Octets of a part, encoded."""
_PERSONAL = 200
"""Octets that a personal value may need: an address with a token in it."""


def fitted(edition: Edition, lay_out: Callable[[Edition], MailText], longest: int = LONGEST) -> MailText:
    """Returns an edition's mail, with as many of its stories whole as fit, those that come first before the others."""
    mail = whole = lay_out(edition)
    if size(whole) <= longest:
        return whole
    for shorten in (brief, bare):
        short = [shorten(view) for view in edition.views]
        mail = lay_out(edition.with_views(short))
        if size(mail) <= longest:
            return _fullest(edition, short, (size(whole), size(mail)), lay_out, longest) or mail
        edition, whole = edition.with_views(short), mail
    return _foremost(edition, mail, lay_out, longest)


def fitted_story(shown: View, lay_out: Callable[[View], MailText], ending: str, longest: int = LONGEST) -> MailText:
    """Returns the mail of one story that has no page of its reader's own: what does not fit stays out.

    It ends after the last paragraph that fits, with the line `ending`.
    """
    mail = lay_out(shown)
    if size(mail) <= longest or not isinstance(shown, FullView):
        return mail
    paragraphs = shown.body_text.split("\n\n")

    def begun(count: int) -> MailText:
        return lay_out(beginning(shown, paragraphs[:count], ending))

    too_many = bisect_right(range(len(paragraphs)), longest, key=lambda count: size(begun(count)))
    return begun(max(0, too_many - 1))


def _foremost(edition: Edition, mail: MailText, lay_out: Callable[[Edition], MailText], longest: int) -> MailText:
    """Returns the mail with as many of the first stories as fit; `mail` has all of them.

    Where not even two fit, it is the template that is too long: then leaving stories out is of no use.
    """
    cut, count = mail, len(edition.views)
    while count > 2 and size(cut) > longest:
        count = max(2, min(count - 1, count * longest // size(cut)))
        cut = lay_out(edition.foremost(count))
    return cut if size(cut) <= longest else mail


def size(mail: MailText) -> int:
    """Returns the octets of a mail's longer part, as encoded and filled."""
    return max(encoded_size(part) + part.count(OPEN) * _PERSONAL for part in (mail.html, mail.text))


def _fullest(
    edition: Edition,
    short: Sequence[View],
    sizes: tuple[int, int],
    lay_out: Callable[[Edition], MailText],
    longest: int,
) -> MailText | None:
    """Returns the mail with the most stories as the edition has them, else as `short` does; None: not one fits.

    `sizes`: of the mail with all of them long, and with all of them short.
    """
    weights = [_weight(view) for view in edition.views]
    gain = (sizes[0] - sizes[1]) / max(sum(weights), 1)
    room, kept = float(longest - sizes[1]), []
    for number, weight in enumerate(weights):
        if weight * gain <= room:
            room -= weight * gain
            kept.append(number)
    while kept:
        views = [view if n in kept else short[n] for n, view in enumerate(edition.views)]
        mail = lay_out(edition.with_views(views))
        if size(mail) <= longest:
            return mail
        kept.pop()
    return None


def _weight(view: View) -> int:
    """Returns what a rendition takes more than its headline does, about."""
    words = "".join((view.deck, view.summary, *view.key_points, *view.lead))
    return encoded_size(words) + (encoded_size(view.body_html) if isinstance(view, FullView) else 0)
