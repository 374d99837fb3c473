"""The nouns: frozen, slotted dataclasses and enums over the standard library alone."""
