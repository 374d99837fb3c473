"""The ways that mail can go: one relay each."""

from dataclasses import dataclass

from publisher.model.delivery import EVERYTHING, Policy, Route
from publisher.ports import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One relay, what goes by it, and how fast."""

    relay: str
    """As the store knows it, whatever config calls it."""
    transport: Transport
    policy: Policy
    route: Route = EVERYTHING
