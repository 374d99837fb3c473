"""What a subscription would bring of one story: said where the public gets less than all of it."""

from publisher.editorial.access import covers, matches
from publisher.model.article import Article
from publisher.model.catalogue import Audience, Catalogue, Newsletter, Product
from publisher.model.view import Benefits, Channel


def benefits(article: Article, catalogue: Catalogue) -> Benefits:
    """Returns the products that hold the story and the subscribers' newsletters that would bring it, by name."""
    language = article.language
    products = [product for product in catalogue.products.values() if covers(product, article)]
    letters = [one for one in catalogue.newsletters.values() if _brings(one, article, products)]
    openly = [letter.id for letter in letters if letter.open]
    return Benefits(
        products=tuple(product.title.in_language(language) for product in products),
        newsletters=tuple(letter.title.in_language(language) for letter in letters),
        feed=not products or any(_goes(product, Channel.FEED) for product in products),
        signup_url=catalogue.site.absolute(_form(openly, language, catalogue)) if openly else None,
    )


def _brings(letter: Newsletter, article: Article, products: list[Product]) -> bool:
    if letter.audience is not Audience.SUBSCRIBERS or not matches(letter.filter, article):
        return False
    if not letter.products:
        return True  # a licence may be for everything there is
    return any(product.id in letter.products and _goes(product, Channel.EMAIL) for product in products)


def _goes(product: Product, channel: Channel) -> bool:
    return not product.channels or channel in product.channels


def _form(newsletters: list[str], language: str, catalogue: Catalogue) -> str:
    """Returns the sign-up form with what would bring the story ticked, in its language if readers may choose that."""
    site = catalogue.site
    known = language if language in site.languages else site.language
    asked = "&".join([f"lang={known}", *(f"newsletter={name}" for name in newsletters)])
    return f"/subscribe?{asked}"
