"""`publisher dkim …`: the key that signs outgoing mail, and its DNS record."""

from typing import TYPE_CHECKING

import click

from publisher.cli.context import Context, pass_context
from publisher.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from publisher.settings import DkimSettings, Settings

_SELECTOR = "publisher"
"""Where neither config nor the caller names one."""


@click.group("dkim")
def dkim_command() -> None:
    """The key that signs outgoing mail: new, show."""


@dkim_command.command("new")
@click.option("--domain", metavar="D", help="Whose mail it signs (default: dkim.domain, or the sender's domain).")
@click.option("--selector", metavar="S", help="The key's name in DNS (default: dkim.selector).")
@click.option("--key-file", metavar="FILE", help="Where the key is kept (default: dkim.key_file, var/dkim.pem).")
@click.option("--replace", is_flag=True, help="Overwrite a key that is there: what it signed is worth nothing then.")
@pass_context
def new_key(ctx: Context, domain: str | None, selector: str | None, key_file: str | None, replace: bool) -> None:
    """Make a signing key and print the DNS record that belongs to it."""
    from publisher import config
    from publisher.signing import make_key

    settings = config.load(ctx.folder)
    wanted = _wanted(settings, domain, selector, key_file)
    make_key(ctx.folder / wanted.key_file, replace=replace)
    _tell(ctx, settings, wanted, made=True)


@dkim_command.command("show")
@pass_context
def show_key(ctx: Context) -> None:
    """Print the DNS record of the key in use."""
    from publisher import config

    settings = config.load(ctx.folder)
    if settings.dkim is None:
        raise ConfigError(["dkim: mail is not signed here; make a key with: publisher dkim new"])
    _tell(ctx, settings, settings.dkim, made=False)


def _wanted(settings: "Settings", domain: str | None, selector: str | None, key_file: str | None) -> "DkimSettings":
    """Returns what config would have to say for the new key: what it says, but for what the caller wants else."""
    from pydantic import ValidationError

    from publisher.mail.message import Sender
    from publisher.settings import DkimSettings

    sender = Sender.parse(settings.smtp.sender)
    said = {"domain": domain, "selector": selector, "key_file": key_file}
    found = {"domain": sender.domain, "selector": _SELECTOR}
    found |= settings.dkim.model_dump() if settings.dkim else {}
    try:
        wanted = DkimSettings.model_validate(found | {key: value for key, value in said.items() if value is not None})
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        key, message = wrong["loc"][0], str(wrong["msg"]).removeprefix("Value error, ")
        hint = f"; {sender.domain} comes from smtp.sender" if key == "domain" and domain is None else ""
        raise UsageError(f"{key}: {message}{hint}") from error
    if not sender.is_aligned_with(wanted.domain):
        raise UsageError(f"{wanted.domain} does not speak for smtp.sender, {sender.address}: set that first")
    return wanted


def _tell(ctx: Context, settings: "Settings", wanted: "DkimSettings", *, made: bool) -> None:
    from publisher.mail.dkim import record
    from publisher.signing import signer

    key = signer(wanted, ctx.folder).key
    dns = record(wanted.domain, wanted.selector, key)
    table = f'[dkim]\ndomain = "{wanted.domain}"\nselector = "{wanted.selector}"\nkey_file = {_quoted(wanted.key_file)}'
    lines = [f"{wanted.key_file}: a new key of {key.key_size} bits; keep it secret, and back it up", ""] if made else []
    lines += ["DNS needs this record (where a form asks for its value, the quoted pieces are one text):", ""]
    lines += [dns.zone_lines, ""]
    if settings.dkim == wanted:
        lines.append("config.toml names this key; a service that runs signs with it once it is started again")
    else:
        lines += ["When it can be seen in DNS, put this into config.toml and start the service again:", "", table]
    told = {
        "key_file": wanted.key_file,
        "domain": wanted.domain,
        "selector": wanted.selector,
        "bits": key.key_size,
        "record": {"name": dns.name, "type": "TXT", "value": dns.value, "strings": dns.strings},
        "config": table,
        "configured": settings.dkim == wanted,
    }
    ctx.emit(told, "\n".join(lines))


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
