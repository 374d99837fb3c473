"""How others see us: what DNS says, what our public address answers. Asked for by a person, never by the service."""
