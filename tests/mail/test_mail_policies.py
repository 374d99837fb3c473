"""What DNS says of a domain's mail, as receivers would judge it."""

import pytest

from publisher.mail import policies
from publisher.mail.dkim import Record
from publisher.model.checkup import Verdict

RECORD = Record(name="news._domainkey.flow.press", value="v=DKIM1; k=rsa; p=AAAA")


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        ([], Verdict.WARNING),
        (["google-site-verification=x"], Verdict.WARNING),
        (["v=spf10 -all"], Verdict.WARNING),
        (["v=spf1 include:relay.press -all"], Verdict.OK),
        (["V=SPF1 ip4:192.0.2.1 ~ALL"], Verdict.OK),
        (["v=spf1 redirect=_spf.relay.press"], Verdict.OK),
        (["v=spf1 include:relay.press"], Verdict.WARNING),
        (["v=spf1 include:relay.press ?all"], Verdict.WARNING),
        (["v=spf1 +all"], Verdict.FAILED),
        (["v=spf1 all"], Verdict.FAILED),
        (["v=spf1 -all", "v=spf1 ~all"], Verdict.FAILED),
        (["v=spf1 " + " ".join(f"include:n{i}.press" for i in range(10)) + " -all"], Verdict.OK),
        (["v=spf1 " + " ".join(f"include:n{i}.press" for i in range(11)) + " -all"], Verdict.FAILED),
        (["v=spf1 " + " ".join(f"ip4:192.0.2.{i}" for i in range(40)) + " -all"], Verdict.OK),
    ],
)
def test_spf(texts: list[str], verdict: Verdict) -> None:
    assert policies.spf("flow.press", texts).verdict is verdict


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        ([], Verdict.FAILED),
        (["v=DKIM1; k=rsa; p=AAAA"], Verdict.OK),
        (["v=DKIM1;k=rsa;p=AA AA"], Verdict.OK),
        (["v=DKIM1; k=rsa; p=BBBB"], Verdict.FAILED),
        (["v=DKIM1; k=rsa; p="], Verdict.FAILED),
        (["v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; p=BBBB"], Verdict.FAILED),
    ],
)
def test_dkim(texts: list[str], verdict: Verdict) -> None:
    assert policies.dkim(RECORD, texts).verdict is verdict


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        ([], Verdict.WARNING),
        (["v=spf1 -all"], Verdict.WARNING),
        (["v=DMARC1; p=none"], Verdict.OK),
        (["v=DMARC1;p=reject;rua=mailto:d@flow.press"], Verdict.OK),
        (["v=DMARC1; p=sometimes"], Verdict.FAILED),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], Verdict.FAILED),
    ],
)
def test_dmarc(texts: list[str], verdict: Verdict) -> None:
    assert policies.dmarc("flow.press", texts).verdict is verdict


def test_a_policy_is_looked_for_upwards_but_not_at_the_top_level() -> None:
    assert policies.dmarc_names("news.flow.press") == ["_dmarc.news.flow.press", "_dmarc.flow.press"]
    assert policies.dmarc_names("flow.press") == ["_dmarc.flow.press"]


@pytest.mark.parametrize(
    ("exchangers", "verdict"),
    [(["mx.flow.press"], Verdict.OK), ([], Verdict.WARNING), (["."], Verdict.FAILED)],
)
def test_mx(exchangers: list[str], verdict: Verdict) -> None:
    assert policies.mx("flow.press", exchangers).verdict is verdict


@pytest.mark.parametrize(
    ("domain", "unreal"),
    [
        ("example.org", True),
        ("news.example.com", True),
        ("wire.example", True),
        ("localhost", True),
        ("localhost.localdomain", True),
        ("flow.test", True),
        ("flow.press", False),
        ("example.press", False),
        ("notexample.org", False),
    ],
)
def test_domains_of_documents_are_nobodys(domain: str, unreal: bool) -> None:
    assert policies.is_unreal(domain) is unreal


def test_what_is_wrong_says_what_to_do() -> None:
    wrong = [policies.spf("flow.press", []), policies.dmarc("flow.press", []), policies.dkim(RECORD, [])]
    assert all(finding.remedy for finding in wrong)
