"""Group a shot's analysed frames into the windows that a method declares."""

from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from chromacord.methods.base import Window

Item = TypeVar("Item")


class WindowOf(NamedTuple, Generic[Item]):
    """One window: the method's input, and the items that its result belongs to."""

    items: list[Item]
    """past + hop + future items, in order. At the ends of a shot its first or last item is repeated."""

    hop: list[Item]
    """The items of the result; fewer than `Window.hop` only at the end of a shot."""


class Windows(Generic[Item]):
    """Groups a shot's items into windows that advance by `Window.hop`, incrementally."""

    def __init__(self, window: Window) -> None:
        """Start a shot.

        Args:
            window: as declared by the method.
        """
        self._window = window
        self._past: list[Item] = []
        self._ahead: list[Item] = []

    def push(self, item: Item) -> list[WindowOf[Item]]:
        """Take the next item, and return the window that it completes, if any."""
        # The shot's own first frame stands in for those before it: frames across the cut would mislead the method.
        if not self._past:
            self._past = [item] * self._window.past
        self._ahead.append(item)
        return [self._next()] if len(self._ahead) == self._window.hop + self._window.future else []

    def finish(self) -> Iterator[WindowOf[Item]]:
        """Yield the windows that remain at the end of the shot."""
        while self._ahead:
            yield self._next()

    def _next(self) -> WindowOf[Item]:
        hop = self._window.hop
        padding = [self._ahead[-1]] * (hop + self._window.future - len(self._ahead))
        made = WindowOf([*self._past, *self._ahead, *padding], self._ahead[:hop])
        # [-0:] would be the whole list.
        self._past = [*self._past, *made.hop][-self._window.past :] if self._window.past else []
        del self._ahead[:hop]
        return made


def windows(items: Iterable[Item], window: Window) -> Iterator[WindowOf[Item]]:
    """Group a whole shot into windows, reading ahead by at most `window.future`.

    Args:
        items: items of one shot, in order.
        window: as declared by the method.
    """
    cutter: Windows[Item] = Windows(window)
    for item in items:
        yield from cutter.push(item)
    yield from cutter.finish()
