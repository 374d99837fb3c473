"""What a subscription would bring of a story, by name, in the story's language."""

from dataclasses import replace
from typing import Any

import pytest
from editorial_samples import article, catalogue

from publisher.editorial.benefits import benefits
from publisher.model.catalogue import Audience, Catalogue, Filter, Newsletter, Product
from publisher.model.text import Localized
from publisher.model.view import Benefits, Channel

ASIA = Product(
    id="asia", title=Localized.of({"en": "Asia desk", "tr": "Asya masası"}), match=Filter(sections=("asia-pacific",))
)
BY_MAIL = replace(ASIA, channels=frozenset({Channel.EMAIL}))
BY_FEED = replace(ASIA, channels=frozenset({Channel.FEED}))
DAILY = Newsletter(
    id="daily", title=Localized.of({"en": "Daily", "tr": "Günlük"}), audience=Audience.SUBSCRIBERS, open=True
)
FORM = "https://news.example.org/subscribe?lang=en&newsletter=daily"


def agency(products: list[Product], *newsletters: Newsletter) -> Catalogue:
    return replace(
        catalogue(languages=("en", "tr")),
        products={one.id: one for one in products},
        newsletters={one.id: one for one in newsletters},
    )


CASES: list[tuple[dict[str, Any], list[Product], list[Newsletter], Benefits]] = [
    ({}, [ASIA], [DAILY], Benefits(products=("Asia desk",), newsletters=("Daily",), signup_url=FORM)),
    (
        {"language": "tr"},
        [ASIA],
        [DAILY],
        Benefits(products=("Asya masası",), newsletters=("Günlük",), signup_url=FORM.replace("lang=en", "lang=tr")),
    ),
    ({"language": "he"}, [], [DAILY], Benefits(newsletters=("Daily",), signup_url=FORM)),
    ({"section": "sport"}, [ASIA], [DAILY], Benefits(newsletters=("Daily",), signup_url=FORM)),
    ({"products": ("-asia",)}, [ASIA], [replace(DAILY, products=("asia",))], Benefits()),
    ({}, [ASIA], [replace(DAILY, open=False)], Benefits(products=("Asia desk",), newsletters=("Daily",))),
    ({}, [ASIA], [replace(DAILY, audience=Audience.PUBLIC)], Benefits(products=("Asia desk",))),
    ({}, [ASIA], [replace(DAILY, filter=Filter(tags=("chess",)))], Benefits(products=("Asia desk",))),
    ({}, [BY_FEED], [replace(DAILY, products=("asia",))], Benefits(products=("Asia desk",))),
    ({}, [BY_MAIL], [], Benefits(products=("Asia desk",), feed=False)),
]


@pytest.mark.parametrize(("said", "products", "newsletters", "found"), CASES)
def test_benefits_name_what_would_bring_the_story(
    said: dict[str, Any], products: list[Product], newsletters: list[Newsletter], found: Benefits
) -> None:
    assert benefits(article(**said), agency(products, *newsletters)) == found
