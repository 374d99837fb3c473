"""What a page tells machines about its story: schema.org in JSON-LD."""

from publisher.editorial.lifecycle import ADVISED
from publisher.model.catalogue import Site
from publisher.model.view import View


def structured(view: View, site: Site, kind: str = "NewsArticle") -> dict[str, object]:
    """Returns the schema.org description of a View: never its text, always whether that is free (schema.org)."""
    found: dict[str, object] = {
        "@context": "https://schema.org",
        "@type": kind,
        "identifier": view.id,
        "headline": view.title,
        "alternativeHeadline": view.deck,
        "description": view.summary or view.deck,
        "abstract": " ".join(view.key_points),
        "url": view.url,
        "mainEntityOfPage": view.url,
        "inLanguage": view.language,
        "isAccessibleForFree": view.free,
        "datePublished": view.published_at.isoformat(),
        "dateModified": view.updated_at.isoformat(),
        "version": view.version,
        "articleSection": view.section.title if view.section else None,
        "keywords": [tag.title for tag in view.tags],
        "dateline": view.dateline,
        "author": [_author(name, site) for name in view.authors or ((site.author,) if site.author else ())],
        "contributor": [{"@type": "Person", "name": name} for _role, name in view.contributors],
        "citation": list(view.sources),
        "image": _image(view),
        "correction": [
            {"@type": "CorrectionComment", "text": note.text, "datePublished": note.at.isoformat()}
            for note in view.corrections
            if note.kind in ADVISED
        ],
        "expires": view.valid_until.isoformat() if view.valid_until else None,
        "publisher": _publisher(view, site),
    }
    return {key: value for key, value in found.items() if value not in (None, "", [])}


def _publisher(view: View, site: Site) -> dict[str, str]:
    found = {"@type": "Organization", "name": site.title, "url": site.url + "/"}
    if any(note.kind in ADVISED for note in view.corrections):  # only then is there sure to be a log of them
        found["correctionsPolicy"] = site.url + "/corrections/"
    return found


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
