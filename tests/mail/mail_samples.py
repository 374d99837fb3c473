"""A newsletter's mail and one of its readers."""

from datetime import UTC, datetime

from publisher.mail.mailing_list import MailingList
from publisher.mail.message import Personal, Sender, message_id
from publisher.model.issue import MailText
from publisher.model.personal import MARKERS, SLOTS

SENDER = Sender(name="Example News Flow", address="news@example.org")
DAILY = MailingList(id="daily", title="Daily digest")
AT = datetime(2026, 3, 4, 6, 30, 5, tzinfo=UTC)
LONG_URL = "https://news.example.org/unsubscribe/v1.abcdef." + "t" * 300
MAIL = MailText(
    subject="Ağaç and others",
    preheader="",
    html=(
        f"<p>Dear {MARKERS['name']},</p>\n<p>.dot</p>\n"
        f'<a href="{MARKERS["unsubscribe_url"]}">leave</a>\n' + "<p>" + "long " * 60 + "</p>\n"
    ),
    text=f"Dear {MARKERS['name']},\n\n.dot line\n{MARKERS['unsubscribe_url']}\nFrom here on\n",
)


def personal(name: str = "Ayşe", address: str = "ayse@example.com", url: str | None = LONG_URL) -> Personal:
    """Returns one reader's values."""
    values = dict.fromkeys(SLOTS, "") | {"name": name, "address": address, "unsubscribe_url": url or ""}
    return Personal(
        name=name,
        address=address,
        message_id=message_id(b"k" * 32, 7, 11, SENDER.domain),
        at=AT,
        unsubscribe_url=url,
        values=values,
    )
