"""What was made before and may be asked for again, up to a size: what nobody asked for goes first."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V", bytes, str)


class Kept(Generic[_K, _V]):
    """Texts by all that they hang on."""

    def __init__(self, most: int) -> None:
        """`most`: octets, or characters, of all of them together."""
        self._most = most
        self._size = 0
        self._made: OrderedDict[_K, _V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: _K) -> _V | None:
        """Returns one, which stays for longer then."""
        made = self._made.get(key)
        if made is not None:
            self._made.move_to_end(key)
        return made

    def put(self, key: _K, made: _V) -> None:
        """Keeps one, as the last that was asked for."""
        if key not in self._made:
            self._size += len(made)
            self._made[key] = made
        self._made.move_to_end(key)
        while self._size > self._most:
            self._size -= len(self._made.popitem(last=False)[1])

    def clear(self) -> None:
        """Forgets everything."""
        self._made.clear()
        self._size = 0
