"""Items of an iterator, several at a time."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .errors import EmulateError

Item = TypeVar("Item")


def in_groups(items: Iterable[Item], most: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Yield at least one item at a time, and so many at most as `most` says of the first of them.

    An EmulateError of items comes behind those before it.
    """
    group: list[Item] = []
    size = 0
    try:
        for item in items:
            size = size if group else most(item)
            group.append(item)
            if len(group) == size:
                yield group
                group = []
    except EmulateError:
        if group:
            yield group
        raise
    if group:
        yield group
