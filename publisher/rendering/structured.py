"""What a page tells machines about its story: schema.org in JSON-LD."""

from publisher.model.catalogue import Site
from publisher.model.view import Kin, Label, View

_KINDS = {
    "analysis": "AnalysisNewsArticle",
    "background": "BackgroundNewsArticle",
    "commentary": "OpinionNewsArticle",
    "editorial": "OpinionNewsArticle",
    "opinion": "OpinionNewsArticle",
    "reportage": "ReportageNewsArticle",
    "review": "ReviewNewsArticle",
}
"""What schema.org calls a news story of a genre; any other is a NewsArticle."""
_MEDIA_TOPICS = "http://cv.iptc.org/newscodes/mediatopic/"


def structured(view: View, site: Site, kin: Kin, *, news: bool) -> dict[str, object]:
    """Returns the schema.org description of a View: never its text, always whether that is free (schema.org)."""
    publisher = {"@type": "Organization", "name": site.title, "url": site.url + "/"}
    found: dict[str, object] = {
        "@context": "https://schema.org",
        "@type": _KINDS.get(view.genre.casefold(), "NewsArticle") if news else "BlogPosting",
        "identifier": view.id,
        "headline": view.title,
        "alternativeHeadline": view.deck,
        "description": view.summary or view.deck,
        "abstract": " ".join(view.key_points),
        "url": view.url,
        "mainEntityOfPage": view.url,
        "inLanguage": view.language,
        "isAccessibleForFree": view.free,
        "creativeWorkStatus": "Published",
        "datePublished": view.published_at.isoformat(),
        "dateModified": view.updated_at.isoformat(),
        "expires": view.expires.isoformat() if view.expires else None,
        "version": view.version,
        "genre": view.genre,
        "articleSection": view.section.title if view.section else None,
        "keywords": [tag.title for tag in view.tags],
        "about": [{"@type": "Thing", "identifier": f"medtop:{s}", "sameAs": _MEDIA_TOPICS + s} for s in view.subjects],
        "dateline": view.dateline if news else None,
        "locationCreated": _place(view),
        "author": [_author(name, site) for name in view.authors or ((site.author,) if site.author else ())],
        "contributor": [{"@type": "Person", "name": name} for _role, name in view.contributors],
        "citation": list(view.sources),
        "image": _image(view),
        "correction": [
            {"@type": "CorrectionComment", "text": note.text, "datePublished": note.at.isoformat()}
            for note in view.corrections
        ],
        "translationOfWork": _work(kin.original) if kin.original else None,
        "workTranslation": [_work(other) for other in kin.translations],
        "isBasedOn": [other.url for other in kin.replaced],
        "relatedLink": [other.url for other in kin.related],
        "copyrightHolder": publisher,
        "publisher": publisher,
    }
    return {key: value for key, value in found.items() if value not in (None, "", [])}


def _work(story: Label) -> dict[str, object]:
    return {"@type": "CreativeWork", "headline": story.title, "url": story.url, "inLanguage": story.id}


def _place(view: View) -> dict[str, object] | None:
    if not view.dateline:
        return None
    address = {"@type": "PostalAddress", "addressLocality": view.dateline}
    return {
        "@type": "Place",
        "name": view.dateline,
        "address": address | ({"addressCountry": view.country} if view.country else {}),
    }


def _author(name: str, site: Site) -> dict[str, str]:
    house = name.casefold() in {site.title.casefold(), site.service.casefold()}
    return {"@type": "Organization" if house else "Person", "name": name}


def _image(view: View) -> dict[str, object] | None:
    image = view.image
    if image is None:
        return None
    found = {
        "@type": "ImageObject",
        "url": image.src,
        "caption": image.caption or image.alt,
        "creditText": image.credit,
        "width": image.width,
        "height": image.height,
    }
    return {key: value for key, value in found.items() if value not in (None, "")}
