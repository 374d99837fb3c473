"""What keeps one publication one: its owner, its secret, its folder, its configuration."""

import json
import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from publications import AGENCY, ManualClock, make_publication
from publisher import config
from publisher.app import open_app
from publisher.errors import ConfigError, OwnerError, StoreError
from publisher.logs import configure
from publisher.model.view import Channel
from publisher.owner import owned, owning, secret_key


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    """A second one is told who has it; looking makes nothing and takes nothing."""
    assert owned(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    with owning(tmp_path):
        assert owned(tmp_path) is not None
        with pytest.raises(OwnerError, match="already being run, by process"), owning(tmp_path):
            pass
    assert owned(tmp_path) is None
    with owning(tmp_path):
        pass


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    """A killed owner leaves nothing to clean up."""
    code = (
        "import sys, time; from pathlib import Path; from publisher.owner import owning\n"
        "with owning(Path(sys.argv[1])):\n    print('mine', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    assert owned(tmp_path) == process.pid
    process.kill()
    process.wait()
    process.stdout.close()
    with owning(tmp_path):
        pass


async def test_another_secret_is_not_taken_silently(tmp_path: Path) -> None:
    """With a key that the database was not used with nothing opens, until somebody says so."""
    folder = make_publication(tmp_path / "wire")
    async with open_app(folder, ManualClock()) as app:
        before = app.links.preferences_url(1)
    key = (folder / "var" / "secret.key").read_bytes()
    (folder / "var" / "secret.key").unlink()
    with pytest.raises(StoreError, match="restore it from your backup"):
        async with open_app(folder, ManualClock()):
            pass
    async with open_app(folder, ManualClock(), accept_key=True) as app:
        assert app.links.preferences_url(1) != before
    (folder / "var" / "secret.key").write_bytes(key)
    async with open_app(folder, ManualClock(), accept_key=True) as app:
        assert app.links.preferences_url(1) == before


def test_a_damaged_secret_is_named(tmp_path: Path) -> None:
    """Half a key is no key."""
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(OwnerError, match="damaged"):
        secret_key(tmp_path)


async def test_a_state_folder_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    """A file in its place stops the program with its name."""
    folder = make_publication(tmp_path / "wire")
    (folder / "var").write_text("not a folder")
    with pytest.raises(ConfigError, match="var"):
        async with open_app(folder):
            pass


async def test_a_damaged_database_is_a_clear_error(tmp_path: Path) -> None:
    """Neither a traceback nor a new database in its place."""
    folder = make_publication(tmp_path / "wire")
    (folder / "var").mkdir()
    (folder / "var" / "publisher.db").write_bytes(b"this is no database, it is a text" * 200)
    with pytest.raises(StoreError, match="damaged"):
        async with open_app(folder):
            pass


LIVE = "[smtp]\nsandbox = false\n"
SENDER = "[smtp]\nsender = 'news@example.org'\n"
TWO_SENDERS = SENDER + "[[newsletters]]\nid = 'a'\ntitle = 'A'\nsender = 'a@example.com'\n"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ('[site]\ntitel = "x"', "site.titel: unknown key"),
        ("[http]\nport = 99999", "http.port"),
        ('[http]\nport = "many"', "http.port"),
        ('[site]\nurl = "example.org"', "site.url"),
        ('[site]\ntimezone = "Mars"', "site.timezone"),
        ('[site]\nlanguage = "xx-nonsense"', "site.language"),
        ('[[newsletters]]\nid = "a"\ntitle = "A"\nschedule = "hourly"', "newsletters.0.schedule"),
        ('[[newsletters]]\nid = "a"\ntitle = "A"\ngrace = "soon"', "newsletters.0.grace"),
        ('[[newsletters]]\nid = "a"\ntitle = "A"\nproducts = ["x"]', "newsletters.0.products: there is no product 'x'"),
        ('[[newsletters]]\nid = "a"\ntitle = "A"\naudience = "subscribers"', "articles.access: say"),
        (
            '[[sections]]\nid = "a"\ntitle = "A"\n[[sections]]\nid = "a"\ntitle = "B"',
            "sections.1.id: 'a' is given twice",
        ),
        ('[[sections]]\nid = "tr"\ntitle = "A"', "sections.0.id"),
        ('[[sections]]\nid = "all"\ntitle = "A"', "sections.0.id"),
        ('[smtp]\nsandbox = false\nhost = "mail.example"', "smtp"),
        ('[smtp]\nsandbox = false\nusername = "me"', "smtp"),
        ('[smtp]\npassword_file = "nowhere"', "smtp.password_file"),
        ("[relays.bulk]\nport = 25", "relays.bulk.host: Field required"),
        ('[relays.bulk]\nhost = "a.example"\nsender = "x"', "relays.bulk.sender: unknown key"),
        ('[relays.Bulk-2]\nhost = "a.example"', "a relay's name is lower-case letters"),
        ('[relays.smtp]\nhost = "a.example"', "choose another name"),
        ('[relays.bulk]\nhost = "a.example"\nwindow = "late"', "relays.bulk.window"),
        ('[relays.bulk]\nhost = "a.example"\npassword_file = "nowhere"', "relays.bulk.password_file"),
        (f'{LIVE}[relays.bulk]\nhost = "a.example"\nsecurity = "none"', 'relays.bulk: security = "none"'),
        (f'{LIVE}[relays.bulk]\nhost = "a.example"\nusername = "me"', "relays.bulk: username is given without"),
        ('[[newsletters]]\nid = "a"\ntitle = "A"\nrelay = "bulk"', "newsletters.0.relay: there is no relay 'bulk'"),
        ('[smtp]\nsender = "nobody"', "smtp.sender"),
        ('[smtp]\nsender = "é@example.org"', "smtp.sender: 'é@example.org' is not a sender"),
        ('[[newsletters]]\nid = "a"\ntitle = "A"\nsender = "é@example.org"', "newsletters.0.sender: 'é@"),
        ('[smtp]\nunsubscribe_mailto = "Us <a@example.org>"', "smtp.unsubscribe_mailto: an address"),
        ('[dkim]\nselector = "news"', "dkim.domain: Field required"),
        ('[dkim]\ndomain = "example.org"', "dkim.selector: Field required"),
        ('[dkim]\ndomain = "localhost"\nselector = "news"', "dkim.domain: a domain"),
        ('[dkim]\ndomain = "example.org; x"\nselector = "news"', "dkim.domain: a domain"),
        ('[dkim]\ndomain = "example.org"\nselector = "a:b"', "dkim.selector: a name"),
        ('[dkim]\ndomain = "example.org"\nselector = "a"\nkey_file = "./static/k"', "dkim.key_file: this folder"),
        (
            f"{TWO_SENDERS}[dkim]\ndomain = 'example.org'\nselector = 'a'",
            "dkim.domain: example.org does not speak for newsletters.0.sender, a@example.com",
        ),
        ('[articles]\npermalink = "/x/"', "articles.permalink"),
        ('[articles]\npermalink = "/feeds/{slug}/"', "articles.permalink"),
        ('[articles]\npermalink = "/../esc/{slug}/"', "articles.permalink"),
        ('[articles]\npermalink = "/{slug}{/"', "articles.permalink"),
        ('[articles]\npath = "public"', "articles.path"),
        ("[articles]\npublic_paragraphs = 4", "articles.public_paragraphs"),
        ("[articles]\npublic_paragraphs = { mail = 1 }", "articles.public_paragraphs.mail"),
        ('[articles]\npublic_delay = "soon"', "articles.public_delay"),
        ('[articles]\non_expire = "burn"', "articles.on_expire"),
        ('[[products]]\nid = "asia"\ntitle = "A"\nchannels = ["fax"]', "products.0.channels"),
        ('[[products]]\nid = "asia"\ntitle = "A"\nsubjects = ["war"]', "products.0.subjects"),
        ('[theme.fonts]\nheadline = "x; }"', "theme.fonts.headline: names of fonts"),
        ('[database]\nurl = "mysql://x"', "database.url"),
        ("[site\n", "config.toml"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_named_by_its_key(tmp_path: Path, wrong: str, named: str) -> None:
    """Every kind of mistake has its key and what to do."""
    (tmp_path / "config.toml").write_text(wrong)
    with pytest.raises(ConfigError) as error:
        config.load(tmp_path)
    assert named in "\n".join(error.value.problems)


def test_a_key_that_takes_two_kinds_of_values_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[theme.fonts]\nheadline = 'x; }'\ntext = '<'\n[theme.light]\nink = 1\n")
    with pytest.raises(ConfigError) as error:
        config.load(tmp_path)
    keys = [problem.partition(":")[0] for problem in error.value.problems]
    assert keys == ["theme.light.ink", "theme.fonts.headline", "theme.fonts.text"]


def test_all_problems_are_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's too."""
    monkeypatch.setenv("PUBLISHER_HTTP__PORT", "nonsense")
    (tmp_path / "config.toml").write_text('[site]\nurl = "x"\n[smtp]\ntypo = 1\n')
    with pytest.raises(ConfigError) as error:
        config.load(tmp_path)
    assert len(error.value.problems) == 3


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And secrets may stand in files of their own."""
    (tmp_path / "config.toml").write_text('[http]\nport = 1\n[smtp]\npassword_file = "secret"\n')
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("PUBLISHER_HTTP__PORT", "2")
    settings = config.load(tmp_path)
    assert settings.http.port == 2
    assert settings.smtp.password.get_secret_value() == "hush"
    assert "hush" not in repr(settings)


def test_each_relay_has_its_own_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file, or in the environment."""
    (tmp_path / "config.toml").write_text(
        '[smtp]\nsandbox = false\n[relays.bulk]\nhost = "a.example"\nusername = "me"\npassword_file = "secret"\n'
        '[relays.slow_one]\nhost = "b.example"\nusername = "me"\nwindow = ""\n'
    )
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("PUBLISHER_RELAYS__SLOW_ONE__PASSWORD", "whisper")
    relays = config.load(tmp_path).relays
    assert {name: relay.password.get_secret_value() for name, relay in relays.items()} == {
        "bulk": "hush",
        "slow_one": "whisper",
    }
    assert (relays["bulk"].port, relays["bulk"].security, relays["bulk"].window) == (587, "starttls", None)
    assert relays["slow_one"].window == ""
    assert "hush" not in repr(relays)
    assert "whisper" not in repr(relays)


def test_names_in_other_scripts_become_what_mail_and_feeds_can_carry(tmp_path: Path) -> None:
    """Domains as A-labels, paths percent-encoded (RFC 3987 §3.1)."""
    (tmp_path / "config.toml").write_text(
        '[site]\nurl = "https://haber.örnek.example:8443/günlük/"\n[smtp]\nsender = "a@haber.örnek.example"\n'
        '[dkim]\ndomain = "Örnek.example"\nselector = "News.2026"\n',
        encoding="utf-8",
    )
    settings = config.load(tmp_path)
    assert settings.site.url == "https://haber.xn--rnek-4qa.example:8443/g%C3%BCnl%C3%BCk"
    assert settings.dkim is not None
    assert (settings.dkim.domain, settings.dkim.selector) == ("xn--rnek-4qa.example", "news.2026")
    assert settings.dkim.key_file == "var/dkim.pem"


def test_a_folder_without_configuration_is_no_publication(tmp_path: Path) -> None:
    """The error says how to make one."""
    with pytest.raises(ConfigError, match="publisher init"):
        config.load(tmp_path)


def test_the_starter_is_gated_and_a_blog_is_not(tmp_path: Path) -> None:
    """Access must be said once anything may be withheld (decisions 9)."""
    (tmp_path / "config.toml").write_text(AGENCY)
    assert config.load(tmp_path).gated
    (tmp_path / "config.toml").write_text('[site]\ntitle = "Blog"\n[[newsletters]]\nid = "w"\ntitle = "W"\n')
    assert not config.load(tmp_path).gated


def test_the_public_s_portion_is_said_in_one_number_or_by_channel(tmp_path: Path) -> None:
    """And everything else that a policy holds."""
    (tmp_path / "config.toml").write_text(
        '[site]\ncontact = "mailto:a@b.example"\n'
        '[articles]\naccess = "summary"\npublic_paragraphs = 2\npublic_delay = "15m"\n'
        'outside_products = "summary"\non_expire = "keep"\n'
        '[[products]]\nid = "asia"\ntitle = "A"\nchannels = ["wire", "email"]\nexclude = { genres = ["Opinion"] }\n'
    )
    catalogue = config.load(tmp_path).catalogue()
    policy, product = catalogue.policy, catalogue.products["asia"]
    assert dict(policy.lead_paragraphs) == {Channel.PAGE: 2, Channel.FEED: 2, Channel.EMAIL: 2}
    assert (policy.public_delay, policy.summaries_outside, policy.expired_pages) == (timedelta(minutes=15), True, True)
    assert product.channels == {Channel.NINJS, Channel.EMAIL}
    assert product.exclude is not None
    assert product.exclude.genres == ("Opinion",)


def test_tokens_are_shortened_in_logs_and_every_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Also in what libraries log."""
    configure(logging.INFO)
    logging.getLogger("some.library").warning("GET /u/%s/all.atom", "S3cretS3cretS3cretS3cret")
    import structlog

    structlog.get_logger().info("seen", path="/unsubscribe/v1.abc.SECRETSECRETSECRET")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.reset_defaults()
    logging.basicConfig(handlers=[], force=True)
    assert len(lines) == 2
    assert "S3cretS3cret" not in str(lines)
    assert "SECRETSECRET" not in str(lines)


LETTER = '[[newsletters]]\nid = "a"\ntitle = "A"\n'


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (
            f'[site]\ntitel = "x"\n[http]\nport = "many"\n{LETTER}products = ["x"]\nschedule = "hourly"',
            ["site.titel", "http.port", "newsletters.0.products", "newsletters.0.schedule"],
        ),
        (f'{LETTER}grace = "soon"\nproducts = ["x"]', ["newsletters.0.grace", "newsletters.0.products"]),
        # What hangs on a wrong key is not told as a mistake of its own.
        (f'[articles]\naccess = "some"\n{LETTER}audience = "subscribers"', ["articles.access", "site.contact"]),
        (f'[[products]]\nid = 4\ntitle = "X"\n{LETTER}products = ["x"]', ["products.0.id"]),
        (f'[relays.bulk]\nport = 25\n{LETTER}relay = "bulk"', ["relays.bulk.host"]),
    ],
)
def test_all_that_is_wrong_is_told_at_once(tmp_path: Path, wrong: str, named: list[str]) -> None:
    """Keys that are wrong by themselves, and those that are wrong beside others."""
    (tmp_path / "config.toml").write_text(wrong)
    with pytest.raises(ConfigError) as error:
        config.load(tmp_path)
    assert sorted(problem.partition(": ")[0] for problem in error.value.problems) == sorted(named)
