"""The settings as types, and how each key is judged.

Reading files and the environment is `config`'s part. Every table refuses
unknown keys; what one key cannot know alone (does that section exist?) is
checked over the whole at the end, all problems at once.
"""

import posixpath
import re
from dataclasses import replace
from datetime import time, timedelta
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from babel import Locale, UnknownLocaleError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic.functional_validators import AfterValidator

from publisher.errors import UsageError
from publisher.model.article import Access
from publisher.model.catalogue import (
    Archives,
    Audience,
    Catalogue,
    DeclaredFeed,
    Filter,
    Late,
    Newsletter,
    Policy,
    Product,
    Section,
    Site,
)
from publisher.model.podcast import CATEGORIES, Podcast
from publisher.model.segment import Segment
from publisher.model.text import Localized
from publisher.model.theme import DARK, LIGHT, Logo, Theme
from publisher.model.view import Channel, Depth
from publisher.model.zones import time_zones
from publisher.segments import Vocabulary, parse_condition

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
_PATTERN = re.compile(r"(?:/(?:[A-Za-z0-9._~-]|\{(?:slug|section|year|month|day)\})+)+/")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_RETURN_LOCAL = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_RETURN_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_WINDOW = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)\s*-\s*((?:[01]\d|2[0-3]):[0-5]\d)")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_FONTS = re.compile(r"[A-Za-z0-9 ,'-]+")
_PICTURE = re.compile(r"(?:/(?!/)|https?://)[A-Za-z0-9._~!$&()*+,;=:@/%-]+")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_USUAL_PORTS = {"http": 80, "https": 443}
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SHORTEST_SECRET = 32
_LONGEST_RETURN_LOCAL = 31
"""Octets before the @: with the sign and the token it has to stay within 64 (RFC 5321 §4.5.3.1.1)."""
_CHANNELS = {"feed": Channel.FEED, "email": Channel.EMAIL, "wire": Channel.NINJS}
RESERVED_IDS = frozenset({"all", "tags", "newsletters", "feeds", "wire"})


def parse_duration(value: object) -> float:
    """Returns seconds for `90`, `"90s"`, `"15m"`, `"2h"`, `"1d"`."""
    if isinstance(value, bool):
        raise ValueError('a duration such as "15m" is needed')
    if isinstance(value, int | float):
        seconds = float(value)
    else:
        match = _DURATION.fullmatch(str(value).strip())
        if match is None:
            raise ValueError('a duration such as "90s", "15m", "2h" or "1d" is needed')
        seconds = float(match[1]) * _UNIT_SECONDS[match[2]]
    if seconds < 0:
        raise ValueError("a duration cannot be negative")
    return seconds


def _return_path(value: str) -> str:
    if not value:
        return value
    local, _, domain = value.rpartition("@")
    if not _RETURN_LOCAL.fullmatch(local) or not _RETURN_DOMAIN.fullmatch(domain):
        raise ValueError("a plain address such as bounces@example.org is needed, without a sign such as +")
    if len(local) > _LONGEST_RETURN_LOCAL:
        raise ValueError(f"at most {_LONGEST_RETURN_LOCAL} characters may stand before the @: a token is added there")
    return value


def parse_window(value: object) -> tuple[time, time] | None:
    """Returns begin and end of `"07:00-22:00"`; an empty text, or none, is the whole day."""
    if value is None or value == "":
        return None
    match = _WINDOW.fullmatch(str(value).strip())
    if match is None or match[1] == match[2]:
        raise ValueError('the hours of a day such as "07:00-22:00" are needed')
    return time.fromisoformat(match[1]), time.fromisoformat(match[2])


def _identifier(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError("an id is lower-case letters, digits and hyphens, at most 80")
    if len(value) <= 3 and value.isalpha() and _locale_exists(value):
        raise ValueError("this id would collide with the feeds of a language; choose a longer one")
    if value in RESERVED_IDS:
        raise ValueError(f"this id is used by the program itself; choose another than {value!r}")
    return value


def _locale_exists(tag: str) -> bool:
    try:
        Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def _language(value: str) -> str:
    if not _locale_exists(value):
        raise ValueError("a BCP 47 language tag such as en, tr or pt-BR is needed")
    return value


def _timezone(value: str) -> str:
    if value not in time_zones():
        raise ValueError("an IANA time zone such as Europe/Istanbul is needed")
    return value


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address such as https://news.example.org is needed")
    if not value.isascii():  # feeds and mail headers take URIs, not IRIs (RFC 3987 §3.1)
        value = parts._replace(netloc=_in_ascii(parts.netloc), path=quote(parts.path, safe="/%")).geturl()
    return value.rstrip("/")


def _origin(value: str) -> str:
    """As a browser writes it (RFC 6454 §6.2): scheme and host, a port only where it is not the usual one."""
    parts = urlsplit(value)
    try:
        port = parts.port
    except ValueError:
        port = 0
    whole = parts.scheme in _USUAL_PORTS and parts.hostname and port != 0 and not parts.username
    if not whole or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("a site such as https://example.org is needed, without a path")
    host = _in_ascii(str(parts.hostname)) if not str(parts.hostname).isascii() else str(parts.hostname)
    host = f"[{host}]" if ":" in host else host
    return (
        f"{parts.scheme}://{host}" if port in (None, _USUAL_PORTS[parts.scheme]) else f"{parts.scheme}://{host}:{port}"
    )


def _hub(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or re.search(r"[\s<>\"]", value):
        raise ValueError("the address of a hub such as https://hub.example.org/ is needed")
    return value if value.isascii() else _public_url(value)


def _in_ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{domain!r} is not a domain") from error


def _long_secret(value: SecretStr) -> SecretStr:
    if 0 < len(value.get_secret_value()) < _SHORTEST_SECRET:
        raise ValueError(f"at least {_SHORTEST_SECRET} characters are needed, such as: openssl rand -hex 32")
    return value


def _domain(value: str) -> str:
    domain = _in_ascii(value.strip()).lower()
    if not _DOMAIN.fullmatch(domain) or len(domain) > 253:
        raise ValueError("a domain such as example.org is needed")
    return domain


def _selector(value: str) -> str:
    selector = value.strip().lower()
    if not _SELECTOR.fullmatch(selector) or len(selector) > 128:
        raise ValueError('a name such as "news" is needed: letters, digits and hyphens, dots between')
    return selector


def _mailbox(value: str) -> str:
    match = re.fullmatch(r"(?:[^<>\r\n]*<)?([^<>@\s\"(),:;\\]+@[^<>@\s\"(),:;\\]+)>?", value.strip())
    if match is None or ("<" in value) != (">" in value):
        raise ValueError('a sender such as "Example News <news@example.org>" is needed')
    return value.strip()


def _colour(value: str) -> str:
    if not _COLOUR.fullmatch(value):
        raise ValueError("a colour such as #0b5060 is needed")
    return value.lower()


def _fonts(value: str) -> str:
    if not _FONTS.fullmatch(value):
        raise ValueError("names of fonts such as Georgia, 'Times New Roman', serif are needed")
    return value.strip()


def _picture(value: str) -> str:
    if not _PICTURE.fullmatch(value):
        raise ValueError("a path such as /logo.png, of a file in static/, or an address (https://…) is needed")
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False) if "/" in value else ip_address(value))
    except ValueError as error:
        raise ValueError("an address or network such as 127.0.0.1 or 10.0.0.0/8 is needed") from error


Network = Annotated[str, AfterValidator(_network)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Language = Annotated[str, AfterValidator(_language)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
Domain = Annotated[str, AfterValidator(_domain)]
Selector = Annotated[str, AfterValidator(_selector)]
Colour = Annotated[str, AfterValidator(_colour)]
Fonts = Annotated[str, AfterValidator(_fonts)]
Picture = Annotated[str, AfterValidator(_picture)]
LocalizedText = str | dict[Language, str]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSettings(_Table):
    """`[site]`: who publishes."""

    title: str = Field(default="A publication", min_length=1)
    url: Annotated[str, AfterValidator(_public_url)] = "http://127.0.0.1:8000"
    description: str = ""
    language: Language = "en"
    languages: list[Language] = []
    timezone: Timezone = "UTC"
    contact: str = ""
    service: str = ""
    author: str = ""
    postal_address: str = ""
    feed_limit: int = Field(default=50, ge=1, le=2000)
    feed_bytes: int = Field(default=1_000_000, ge=10_000)
    feed_depth: Literal["headline", "summary", "full"] = "full"
    feed_archives: Archives = Archives.MAIN

    @field_validator("contact")
    @classmethod
    def _is_reachable(cls, value: str) -> str:
        if value and not re.match(r"(https?://|mailto:)\S+", value):
            raise ValueError("an address such as mailto:subscriptions@example.org or https://… is needed")
        return value


class _Portion(_Table):
    """How many paragraphs of a withheld text the public gets, by where it gets them."""

    page: int = Field(default=0, ge=0, le=3)
    feed: int = Field(default=0, ge=0, le=3)
    email: int = Field(default=0, ge=0, le=3)


class ArticlesSettings(_Table):
    """`[articles]`: the folder of stories."""

    path: str = "articles"
    access: Access | None = None
    on_delete: Literal["remove", "withdraw"] = "remove"
    on_expire: Literal["remove", "keep"] = "remove"
    delete_grace: float = 2.0
    public_delay: float = 0.0
    public_paragraphs: _Portion = _Portion()
    outside_products: Literal["nothing", "summary"] = "nothing"
    permalink: str = "/articles/{slug}/"
    force_polling: bool = False

    @field_validator("delete_grace", "public_delay", mode="before")
    @classmethod
    def _in_seconds(cls, value: object) -> float:
        return parse_duration(value)

    @field_validator("public_paragraphs", mode="before")
    @classmethod
    def _is_a_portion(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"page": value, "feed": value, "email": value}
        return value

    @field_validator("permalink")
    @classmethod
    def _names_one_place(cls, value: str) -> str:
        if not _PATTERN.fullmatch(value) or "{slug}" not in value or ".." in value.split("/"):
            raise ValueError("a pattern such as /{year}/{slug}/ is needed; it knows slug, section, year, month, day")
        return value

    @field_validator("path")
    @classmethod
    def _is_a_folder_of_its_own(cls, value: str) -> str:
        first = value.strip("/").split("/")[0]
        if value.startswith("/") or first in ("", ".", "..", "public", "var", "static", "pages", "templates"):
            raise ValueError('a folder of its own in the publication is needed, such as "articles"')
        return value


class SectionSettings(_Table):
    """`[[sections]]`: one desk."""

    id: Identifier
    title: LocalizedText
    access: Access | None = None


class _FilterKeys(_Table):
    sections: list[str] = []
    tags: list[str] = []
    languages: list[Language] = []
    urgency_max: int | None = Field(default=None, ge=1, le=9)
    subjects: list[Annotated[str, Field(pattern=r"^\d{8}$")]] = []
    genres: list[str] = []

    def to_filter(self) -> Filter:
        """Returns the criteria as a value."""
        return Filter(
            sections=tuple(self.sections),
            tags=tuple(self.tags),
            languages=tuple(self.languages),
            urgency_max=self.urgency_max,
            subjects=tuple(self.subjects),
            genres=tuple(self.genres),
        )


class ProductSettings(_FilterKeys):
    """`[[products]]`: what a subscription can cover."""

    id: Identifier
    title: LocalizedText
    exclude: _FilterKeys | None = None
    channels: list[Literal["feed", "email", "wire"]] = []


def _podcast_category(value: str) -> str:
    if value not in CATEGORIES:
        raise ValueError(f"{value!r} is none of Apple's categories: {', '.join(CATEGORIES)}")
    return value


class PodcastSettings(_Table):
    """`[feeds.podcast]`: what makes a feed a podcast."""

    image: Picture
    category: Annotated[str, AfterValidator(_podcast_category)] = "News"
    subcategory: str = ""
    author: str = ""
    owner: Mailbox | Literal[""] = ""
    explicit: bool = False
    kind: Literal["episodic", "serial"] = "episodic"

    @field_validator("subcategory")
    @classmethod
    def _is_below(cls, value: str, info: ValidationInfo) -> str:
        category = info.data.get("category", "")
        below = CATEGORIES.get(category, ())
        if category and value and value not in below:
            choice = f"one of {', '.join(below)}" if below else "none"
            raise ValueError(f"{value!r} is not below {category!r}, which has {choice}")
        return value


class FeedSettings(_FilterKeys):
    """`[[feeds]]`: a public feed of a choice of stories."""

    id: Identifier
    title: LocalizedText
    description: LocalizedText = ""
    language: Language | Literal[""] = ""
    products: list[str] = []
    exclude: _FilterKeys | None = None
    limit: int | None = Field(default=None, ge=1, le=2000)
    depth: Literal["headline", "summary", "full"] | None = None
    formats: list[Literal["rss", "atom", "json"]] | None = Field(default=None, min_length=1)
    archive: bool = True
    podcast: PodcastSettings | None = None


class WebsubSettings(_Table):
    """`[websub]`: who is told at once that a feed has changed (W3C WebSub)."""

    hubs: list[Annotated[str, AfterValidator(_hub)]] = []


class SegmentSettings(_Table):
    """`[[segments]]`: people with something in common."""

    id: Identifier
    where: str


class NewsletterSettings(_FilterKeys):
    """`[[newsletters]]`: a digest and when it goes out."""

    id: Identifier
    title: LocalizedText
    description: LocalizedText = ""
    audience: Audience = Audience.PUBLIC
    open: bool | None = None
    archive: bool | None = None
    schedule: str = "daily 07:00"
    timezone: Timezone | None = None
    products: list[str] = []
    segment: str = ""
    min_articles: int = Field(default=1, ge=1)
    max_articles: int = Field(default=20, ge=1, le=200)
    grace: float | None = None
    late: Late = Late.RUN
    sender: Mailbox | Literal[""] = ""
    relay: str = ""
    subject: str = ""
    rhythms: list[Literal["instant", "daily", "weekdays", "weekly", "monthly"]] | None = None
    approval: bool = False

    @field_validator("grace", mode="before")
    @classmethod
    def _in_seconds(cls, value: object) -> float | None:
        return None if value is None else parse_duration(value)

    @model_validator(mode="after")
    def _limits_agree(self) -> "NewsletterSettings":
        if self.min_articles > self.max_articles:
            raise ValueError("min_articles is larger than max_articles")
        return self


class _ServerKeys(_Table):
    """How a relay is spoken to."""

    host: str = "127.0.0.1"
    port: int = Field(default=1025, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "none"
    username: str = ""
    password: SecretStr = SecretStr("")
    hostname: str = ""
    timeout: float = 60.0
    pipelining: Literal["auto", "off"] = "auto"

    @field_validator("timeout", mode="before")
    @classmethod
    def _in_seconds(cls, value: object) -> float:
        return parse_duration(value)

    @property
    def address(self) -> str:
        """Returns `host:port`."""
        return f"{self.host}:{self.port}"

    def exposed(self) -> str | None:
        """Returns why mail could not be sent, or would be readable on its way; None: neither."""
        if self.security == "none" and self.host not in LOOPBACK:
            return 'security = "none" is for a relay on this machine; use "tls" or "starttls"'
        if self.username and not self.password.get_secret_value():
            return "username is given without password (or password_file)"
        return None


class SmtpSettings(_ServerKeys):
    """`[smtp]`: the relay that takes our mail."""

    sender: Mailbox = "Publisher <news@localhost.localdomain>"
    return_path: Annotated[str, AfterValidator(_return_path)] = ""
    sandbox: bool = True
    unsubscribe_mailto: str = ""

    @model_validator(mode="after")
    def _keeps_secrets(self) -> "SmtpSettings":
        if not self.sandbox and (why := self.exposed()) is not None:
            raise ValueError(why)
        return self


class RelaySettings(_ServerKeys):
    """`[relays.NAME]`: another relay, for the newsletters that name it; its own pace where it says so."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "starttls"
    connections: int | None = Field(default=None, ge=1, le=64)
    rate: int | None = Field(default=None, ge=0)
    per_domain: int | None = Field(default=None, ge=0)
    window: tuple[time, time] | Literal[""] | None = None

    @field_validator("window", mode="before")
    @classmethod
    def _of_a_day(cls, value: object) -> object:
        return value if value == "" else parse_window(value)


def _relay_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", value) or len(value) > 40:
        raise ValueError("a relay's name is lower-case letters, digits and single _: its secret is named after it")
    if value == "smtp":
        raise ValueError("this is what the relay of [smtp] is called; choose another name")
    return value


RelayName = Annotated[str, AfterValidator(_relay_name)]


class BouncesSettings(_Table):
    """`[bounces]`: where reports about our mail come in."""

    host: str = ""
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str = ""
    password: SecretStr = SecretStr("")
    folder: str = Field(default="INBOX", min_length=1, pattern=r"^[ -~]+$")
    interval: float = 300.0
    hook_secret: SecretStr = SecretStr("")

    @field_validator("interval", mode="before")
    @classmethod
    def _in_seconds(cls, value: object) -> float:
        seconds = parse_duration(value)
        if seconds < 1:
            raise ValueError("a second at least is needed between two looks")
        return seconds

    @field_validator("hook_secret")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        return _long_secret(value)

    @model_validator(mode="after")
    def _keeps_secrets(self) -> "BouncesSettings":
        if not self.host:
            return self
        if self.security == "none" and self.host not in LOOPBACK:
            raise ValueError('security = "none" is for a mailbox on this machine; use "tls" or "starttls"')
        if not self.username or not self.password.get_secret_value():
            raise ValueError("username and password (or password_file) are needed for the mailbox")
        if any(ord(c) < 32 or ord(c) > 126 for c in self.username + self.password.get_secret_value()):
            raise ValueError("username and password must be plain ASCII characters")
        return self


class DkimSettings(_Table):
    """`[dkim]`: who signs outgoing mail, and with which key; domain and selector are needed together."""

    domain: Domain
    selector: Selector
    key_file: str = Field(default="var/dkim.pem", min_length=1)

    @field_validator("key_file")
    @classmethod
    def _is_not_published(cls, value: str) -> str:
        if posixpath.normpath(value).split("/")[0] in ("public", "static", "pages", "articles", "templates"):
            raise ValueError('this folder is for everybody to read; keep the key in another, such as "var"')
        return value


class DeliverySettings(_Table):
    """`[delivery]`: pace and patience."""

    connections: int = Field(default=4, ge=1, le=64)
    rate: int = Field(default=0, ge=0)
    per_domain: int = Field(default=0, ge=0)
    on_uncertain: Literal["resend", "hold"] = "resend"
    resend_after: float = 900.0
    lease: float = 1200.0
    max_age: float = 48 * 3600.0
    retry_after: float = 300.0
    relay_pause: float = 60.0
    window: tuple[time, time] | None = None

    @field_validator("resend_after", "lease", "max_age", "retry_after", "relay_pause", mode="before")
    @classmethod
    def _in_seconds(cls, value: object) -> float:
        return parse_duration(value)

    @field_validator("window", mode="before")
    @classmethod
    def _of_a_day(cls, value: object) -> tuple[time, time] | None:
        return parse_window(value)


class HttpSettings(_Table):
    """`[http]`: where the built-in server listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    worker_port: int | None = Field(default=None, ge=0, le=65535)
    form_origins: list[Annotated[str, AfterValidator(_origin)]] = []
    metrics_token: SecretStr = SecretStr("")
    trusted_proxies: list[Network] = []
    poll_limit: int = Field(default=20, ge=0)

    @field_validator("metrics_token")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        return _long_secret(value)


def _old_address(value: str) -> str:
    if not re.fullmatch(r"/[^\s?#\\]*", value) or value == "/" or value.startswith("//"):
        raise ValueError("an address on this site such as /feed.xml is needed")
    return value


OldAddress = Annotated[str, AfterValidator(_old_address)]


class DatabaseSettings(_Table):
    """`[database]`: where the state lives."""

    url: str = "sqlite:///var/publisher.db"
    connections: int = Field(default=12, ge=10, le=1000)

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("sqlite:///PATH or postgresql://user@host/name is needed")
        return value


class PaletteSettings(_Table):
    """`[theme.light]` and `[theme.dark]`: the colours that are not the packaged ones."""

    canvas: Colour | None = None
    paper: Colour | None = None
    tint: Colour | None = None
    wash: Colour | None = None
    ink: Colour | None = None
    soft: Colour | None = None
    hair: Colour | None = None
    accent: Colour | None = None
    on_accent: Colour | None = None
    alert: Colour | None = None


class FontSettings(_Table):
    """`[theme.fonts]`: each a list as CSS has it."""

    headline: Fonts | Literal[""] = ""
    text: Fonts | Literal[""] = ""
    label: Fonts | Literal[""] = ""


class LogoSettings(_Table):
    """`[theme.logo]`: the picture that stands for the title, and how large it is shown (CSS pixels)."""

    src: Picture
    dark: Picture | Literal[""] = ""
    width: int = Field(ge=16, le=536)
    height: int = Field(ge=8, le=240)


class ThemeSettings(_Table):
    """`[theme]`: the look of pages and mails."""

    light: PaletteSettings = PaletteSettings()
    dark: PaletteSettings = PaletteSettings()
    fonts: FontSettings = FontSettings()
    logo: LogoSettings | None = None

    def to_theme(self) -> Theme:
        """Returns the look as a value."""
        return Theme(
            light=replace(LIGHT, **self.light.model_dump(exclude_none=True)),
            dark=replace(DARK, **self.dark.model_dump(exclude_none=True)),
            logo=Logo(**self.logo.model_dump()) if self.logo else None,
            headline_font=self.fonts.headline,
            text_font=self.fonts.text,
            label_font=self.fonts.label,
        )


class Settings(_Table):
    """The whole of `config.toml`."""

    site: SiteSettings = SiteSettings()
    articles: ArticlesSettings = ArticlesSettings()
    sections: list[SectionSettings] = []
    products: list[ProductSettings] = []
    feeds: list[FeedSettings] = []
    websub: WebsubSettings = WebsubSettings()
    segments: list[SegmentSettings] = []
    newsletters: list[NewsletterSettings] = []
    theme: ThemeSettings = ThemeSettings()
    smtp: SmtpSettings = SmtpSettings()
    relays: dict[RelayName, RelaySettings] = {}
    bounces: BouncesSettings = BouncesSettings()
    dkim: DkimSettings | None = None
    delivery: DeliverySettings = DeliverySettings()
    http: HttpSettings = HttpSettings()
    redirects: dict[OldAddress, str] = {}
    """Old addresses of feeds and pages, and where they lead now."""
    database: DatabaseSettings = DatabaseSettings()

    @property
    def default_access(self) -> Access:
        """Returns what an article gets that names no access (decisions 9)."""
        return self.articles.access or Access.PUBLIC

    @property
    def gated(self) -> bool:
        """Returns whether anything at all may be withheld from the public."""
        return (
            self.default_access is not Access.PUBLIC
            or bool(self.products)
            or any(s.access not in (None, Access.PUBLIC) for s in self.sections)
            or any(n.audience is Audience.SUBSCRIBERS for n in self.newsletters)
        )

    def catalogue(self) -> Catalogue:
        """Returns what config declares as the nouns that everything else works with."""
        return Catalogue(
            site=self._site(),
            sections={s.id: Section(id=s.id, title=Localized.of(s.title), access=s.access) for s in self.sections},
            products={
                p.id: Product(
                    id=p.id,
                    title=Localized.of(p.title),
                    match=p.to_filter(),
                    exclude=p.exclude.to_filter() if p.exclude else None,
                    channels=frozenset(_CHANNELS[name] for name in p.channels),
                )
                for p in self.products
            },
            newsletters={n.id: self._newsletter(n) for n in self.newsletters},
            feeds={f.id: self._feed(f) for f in self.feeds},
            default_access=self.default_access,
            segments={
                s.id: Segment(id=s.id, condition=parse_condition(s.where, vocabulary_of(self))) for s in self.segments
            },
            policy=self._policy(),
        )

    def _policy(self) -> Policy:
        articles = self.articles
        portion = articles.public_paragraphs
        return Policy(
            public_delay=timedelta(seconds=articles.public_delay),
            summaries_outside=articles.outside_products == "summary",
            expired_pages=articles.on_expire == "keep",
            lead_paragraphs={
                Channel.PAGE: portion.page,
                Channel.FEED: portion.feed,
                Channel.EMAIL: portion.email,
            },
        )

    def _site(self) -> Site:
        languages = dict.fromkeys([self.site.language, *self.site.languages])
        return Site(
            title=self.site.title,
            url=self.site.url,
            description=self.site.description,
            language=self.site.language,
            languages=tuple(languages),
            timezone=self.site.timezone,
            contact=self.site.contact,
            service=self.site.service or self.site.title,
            author=self.site.author,
            feed_limit=self.site.feed_limit,
            feed_bytes=self.site.feed_bytes,
            feed_depth=Depth(self.site.feed_depth),
            feed_archives=self.site.feed_archives,
            hubs=tuple(dict.fromkeys(self.websub.hubs)),
            gated=self.gated,
            postal_address=self.site.postal_address,
            theme=self.theme.to_theme(),
        )

    def _feed(self, f: FeedSettings) -> DeclaredFeed:
        return DeclaredFeed(
            id=f.id,
            title=Localized.of(f.title),
            description=Localized.of(f.description),
            language=f.language,
            match=f.to_filter(),
            exclude=f.exclude.to_filter() if f.exclude else None,
            products=tuple(f.products),
            limit=f.limit or self.site.feed_limit,
            depth=Depth(f.depth or self.site.feed_depth),
            formats=tuple(dict.fromkeys(f.formats or ())),
            archive=f.archive,
            podcast=Podcast(**f.podcast.model_dump()) if f.podcast else None,
        )

    def _newsletter(self, n: NewsletterSettings) -> Newsletter:
        instant = n.schedule == "instant"
        is_open = n.open if n.open is not None else n.audience is Audience.PUBLIC
        return Newsletter(
            id=n.id,
            title=Localized.of(n.title),
            description=Localized.of(n.description),
            audience=n.audience,
            open=is_open,
            archive=not instant and (is_open if n.archive is None else n.archive),
            schedule=n.schedule,
            timezone=n.timezone or self.site.timezone,
            products=tuple(n.products),
            filter=n.to_filter(),
            segments=(n.segment,) if n.segment else (),
            min_articles=n.min_articles,
            max_articles=n.max_articles,
            grace_seconds=n.grace if n.grace is not None else (0.0 if instant else 900.0),
            late=n.late,
            sender=n.sender or self.smtp.sender,
            subject=n.subject,
            rhythms=tuple(dict.fromkeys(n.rhythms if n.rhythms is not None else _rhythms_of(instant))),
            approval=n.approval,
        )


def _rhythms_of(instant: bool) -> tuple[str, ...]:
    """Returns what readers may choose where nothing is said: any but each story as it comes, which is many mails."""
    return () if instant else ("daily", "weekdays", "weekly", "monthly")


def problems_of(settings: Settings) -> list[str]:
    """Returns what is wrong between the keys, one line each, each with its key."""
    return [
        *_duplicates("sections", [s.id for s in settings.sections]),
        *_duplicates("products", [p.id for p in settings.products]),
        *_duplicates("newsletters", [n.id for n in settings.newsletters]),
        *_duplicates("segments", [s.id for s in settings.segments]),
        *_duplicates("feeds", [f.id for f in settings.feeds]),
        *_taken_addresses(settings),
        *_unreadable_segments(settings),
        *_unknown_names(settings),
        *_exposed(settings),
        *_unsaid(settings),
        *_circles(settings.redirects),
    ]


def _taken_addresses(settings: Settings) -> list[str]:
    sections = {s.id for s in settings.sections}
    return [
        f"feeds.{i}.id: the section {f.id!r} has its feed at /feeds/{f.id}; choose another id"
        for i, f in enumerate(settings.feeds)
        if f.id in sections
    ]


def _circles(redirects: dict[str, str]) -> list[str]:
    return [
        f"redirects.{old}: {new!r} is no address; write one of this site (/feeds/all.rss) or https://…"
        if not re.match(r"/(?!/)|https?://", new)
        else f"redirects.{old}: {new} leads on to somewhere else; write where it ends"
        for old, new in redirects.items()
        if new in redirects or not re.match(r"/(?!/)|https?://", new)
    ]


def _exposed(settings: Settings) -> list[str]:
    relays = {} if settings.smtp.sandbox else settings.relays
    return [f"relays.{name}: {why}" for name, relay in relays.items() if (why := relay.exposed()) is not None]


def _duplicates(table: str, ids: list[str]) -> list[str]:
    return [f"{table}.{i}.id: {name!r} is given twice" for i, name in enumerate(ids) if name in ids[:i]]


def _unknown_names(settings: Settings) -> list[str]:
    sections = {s.id for s in settings.sections}
    products = {p.id for p in settings.products}
    found = []
    filters: list[tuple[str, _FilterKeys]] = []
    for i, p in enumerate(settings.products):
        filters.append((f"products.{i}", p))
        if p.exclude:
            filters.append((f"products.{i}.exclude", p.exclude))
    for i, n in enumerate(settings.newsletters):
        filters.append((f"newsletters.{i}", n))
        found += [
            f"newsletters.{i}.products: there is no product {name!r} in [[products]]"
            for name in n.products
            if name not in products
        ]
    for i, f in enumerate(settings.feeds):
        filters.append((f"feeds.{i}", f))
        if f.exclude:
            filters.append((f"feeds.{i}.exclude", f.exclude))
        found += [
            f"feeds.{i}.products: there is no product {name!r} in [[products]]"
            for name in f.products
            if name not in products
        ]
    found += [
        f"newsletters.{i}.relay: there is no relay {n.relay!r}; write [relays.{n.relay}]"
        for i, n in enumerate(settings.newsletters)
        if n.relay and n.relay not in settings.relays
    ]
    segments = {s.id for s in settings.segments}
    found += [
        f"newsletters.{i}.segment: there is no segment {n.segment!r} in [[segments]]"
        for i, n in enumerate(settings.newsletters)
        if n.segment and n.segment not in segments
    ]
    for key, keys in filters:
        found += [
            f"{key}.sections: there is no section {name!r} in [[sections]]"
            for name in keys.sections
            if name not in sections
        ]
    return found


def vocabulary_of(settings: Settings) -> Vocabulary:
    """Returns what conditions on people can name."""
    return Vocabulary(
        newsletters=[n.id for n in settings.newsletters],
        products=[p.id for p in settings.products],
        languages=list(dict.fromkeys([settings.site.language, *settings.site.languages])),
    )


def _unreadable_segments(settings: Settings) -> list[str]:
    found, vocabulary = [], vocabulary_of(settings)
    for i, segment in enumerate(settings.segments):
        try:
            parse_condition(segment.where, vocabulary)
        except UsageError as error:
            found.append(f"segments.{i}.where: {error}")
    return found


def _unsaid(settings: Settings) -> list[str]:
    found = []
    if settings.articles.access is None and settings.gated:
        found.append(
            'articles.access: say "summary", "headline", "subscriber" or "public": '
            "with products or a subscribers' newsletter it must not be guessed"
        )
    if settings.gated and not settings.site.contact:
        found.append("site.contact: needed where stories are withheld: readers are told to contact it")
    return found
