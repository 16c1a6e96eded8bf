"""Sequences whose items are made when they are asked for. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")
U = TypeVar("U")


class Lazy(Sequence[T], Generic[T]):
    """A sequence that knows how its items are made, and holds none of them."""

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> Lazy[T]: ...

    def __getitem__(self, at: int | slice) -> T | Lazy[T]:
        """Return an item, or some as such a sequence."""
        places = range(self._count)[at]
        if isinstance(places, range):
            return Lazy(len(places), lambda i: self._make(places[i]))
        return self._make(places)

    def __iter__(self) -> Iterator[T]:
        return (self._make(at) for at in range(self._count))


def mapped(make: Callable[[T], U], items: Sequence[T]) -> Lazy[U]:
    """Return what becomes of each item."""
    return Lazy(len(items), lambda at: make(items[at]))


def keyed(key: str, items: Sequence[T]) -> Lazy[tuple[str, T]]:
    """Return each item with a key before it."""
    return mapped(lambda item: (key, item), items)


def chained(parts: Sequence[Sequence[T]]) -> Lazy[T]:
    """Return the items of several sequences, one sequence after the other."""
    places = [(part, at) for part in parts for at in range(len(part))]
    return Lazy(len(places), lambda at: places[at][0][places[at][1]])
