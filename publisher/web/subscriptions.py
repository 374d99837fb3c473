"""The addresses by which readers come, choose and go: GET shows, POST acts.

Whoever holds a signed link may do what it is for, so its page needs no other
proof than not being posted to by another site.
"""

from starlette.routing import BaseRoute, Route

from publisher.app import App
from publisher.web.account import AccountPages
from publisher.web.leaving import LeavingPages
from publisher.web.preferences import PreferencesPages
from publisher.web.signup import SignUpPages

_BOTH = ["GET", "POST"]


def routes(app: App) -> list[BaseRoute]:
    """Returns the routes of everything that people do with their subscriptions."""
    signup, leaving, preferences, account = (
        SignUpPages(app),
        LeavingPages(app),
        PreferencesPages(app),
        AccountPages(app),
    )
    return [
        Route("/subscribe", signup.subscribe, methods=_BOTH),
        Route("/confirm/{token}", signup.confirm, methods=_BOTH),
        Route("/unsubscribe/{token}", leaving.unsubscribe, methods=_BOTH),
        Route("/unsubscribe/{token}/undo", leaving.undo, methods=["POST"]),
        Route("/preferences/{token}", preferences.preferences, methods=_BOTH),
        Route("/account/{token}", account.account, methods=_BOTH),
        Route("/address/{token}", account.move, methods=_BOTH),
    ]
