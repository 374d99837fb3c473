"""The other side of a signature: dkimpy, which verifies what we sign, and a key for tests."""

import dkim

from publisher.mail.dkim import Signer, new_key, read_key, record

KEY = read_key(new_key())
SIGNER = Signer("example.org", "news", KEY)


def is_verified(message: bytes, signer: Signer = SIGNER) -> bool:
    """Returns whether dkimpy believes the signature, with the record that we tell people to publish."""
    published = record(signer.domain, signer.selector, signer.key)
    return is_believed(message, published.name, "".join(published.strings))


def is_believed(message: bytes, name: str, value: str) -> bool:
    """Returns whether dkimpy believes the signature where DNS holds one TXT record only."""
    zone = {f"{name}.".encode(): value.encode()}
    return bool(dkim.verify(message, dnsfunc=lambda asked, timeout=5: zone.get(asked)))


def tags(message: bytes) -> dict[str, str]:
    """Returns the tags of the one signature of a message."""
    head = message.partition(b"\r\n\r\n")[0].decode("ascii").replace("\r\n ", " ")
    (line,) = [line for line in head.split("\r\n") if line.startswith("DKIM-Signature: ")]
    pairs = (tag.partition("=") for tag in line.removeprefix("DKIM-Signature: ").split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in pairs}
