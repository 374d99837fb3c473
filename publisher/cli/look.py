"""What `check` says of the look: colours that cannot be read well, a logo that is not shown."""

from publisher.app import App
from publisher.config import line_of
from publisher.model.article import Problem
from publisher.model.theme import Logo, faint


def look(app: App) -> list[Problem]:
    """Returns what is wrong with `[theme]`, all of it warnings."""
    theme = app.catalogue.site.theme
    files = {f"/{file.path}" for file in app.companions.files()}
    said = [*faint(theme), *(_not_shown(theme.logo, files) if theme.logo else ())]
    return [
        Problem(
            path="config.toml",
            line=line_of(app.folder, text.split(maxsplit=1)[0]),
            message=text,
            code="look",
            fatal=False,
        )
        for text in said
    ]


def _not_shown(logo: Logo, files: set[str]) -> list[str]:
    addresses = {"theme.logo.src": logo.src, "theme.logo.dark": logo.dark}
    lost = [
        f"{key} {address}: there is no such file in static/"
        for key, address in addresses.items()
        if address.startswith("/") and address not in files
    ]
    drawn = [
        f"{key} {address}: most mail programs show no SVG; use a PNG of twice the width and height"
        for key, address in addresses.items()
        if address.lower().endswith(".svg")
    ]
    return [*lost, *drawn]
