"""Which email addresses we take, and when two of them are the same."""

from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from publisher.errors import UsageError

_LONGEST = 254
"""Octets of a path without its brackets (RFC 5321 §4.5.3.1.3, erratum 1690)."""


class AddressError(UsageError):
    """What was given is no address that mail can be sent to; the text says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A judged address: plain ASCII, without quotes, comments, routes or literals."""

    mailbox: str
    """As given before the @, the A-labels of the domain after it: fit for SMTP as it stands."""

    @property
    def key(self) -> str:
        """Returns what addresses are compared by: nobody tells mailboxes apart by upper and lower case."""
        return self.mailbox.lower()


def parse_address(text: str) -> Address:
    """Returns the address that `text` is; AddressError when it is none, or one that mail cannot reach reliably."""
    text = text.strip(" \t")
    if not text:
        raise AddressError("an email address is needed")
    if len(text) > _LONGEST:
        raise AddressError(f"an email address has at most {_LONGEST} characters")
    try:
        valid = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise AddressError(f"{_printable(text)} is not an email address: {error}") from error
    local = valid.ascii_local_part
    if local is None:
        raise AddressError(
            f"{_printable(text)} has letters outside of a-z before the @, which many mail servers refuse"
        )
    # With a percent sign some relays take the part before the @ for an address of its own, and pass the mail on.
    if local.startswith("-") or "=?" in local or "%" in local:
        raise AddressError(f"{_printable(text)} is not an email address that can be mailed safely")
    mailbox = f"{local}@{valid.ascii_domain}"
    if len(mailbox) > _LONGEST:
        raise AddressError(f"an email address has at most {_LONGEST} characters")
    return Address(mailbox)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
