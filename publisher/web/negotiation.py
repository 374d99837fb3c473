"""In which of the site's languages somebody is answered."""

from starlette.requests import Request

from publisher.model.catalogue import Site


def language_for(request: Request, site: Site, reader: str = "") -> str:
    """Returns the language that the address asks for, else the reader's, else the browser's, else the site's."""
    wishes = (request.query_params.get("lang", ""), _folder(request.url.path), reader)
    asked = [*wishes, *_accepted(request.headers.get("accept-language", ""))]
    return next((known for tag in asked if (known := known_language(tag, site))), site.language)


def known_language(tag: str, site: Site) -> str | None:
    """Returns the site's language that a tag means, by itself or by its base; None when it has none such."""
    tags = {one.lower(): one for one in site.languages}
    wanted = tag.strip().lower()
    return tags.get(wanted) or tags.get(wanted.partition("-")[0])


def _folder(path: str) -> str:
    """Returns the first part of a path: pages in other languages than the main one have it for their language."""
    return path.removeprefix("/").partition("/")[0]


def _accepted(header: str) -> list[str]:
    """Returns the languages of Accept-Language, the most wanted first (RFC 9110 §12.5.4)."""
    weighted = []
    for part in header.split(",")[:20]:
        tag, _, parameters = part.partition(";")
        quality = parameters.strip().removeprefix("q=") or "1"
        try:
            weighted.append((float(quality), tag.strip()))
        except ValueError:
            continue
    return [tag for quality, tag in sorted(weighted, key=lambda pair: -pair[0]) if quality > 0]
