"""Group a shot's analysed frames into the windows that a method declares."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from chromacord.methods.base import Window

Item = TypeVar("Item")


class WindowOf(NamedTuple, Generic[Item]):
    """One window: what goes in, and what the result belongs to."""

    items: list[Item]
    """past + hop + future items, in order. At the ends of a shot its first or last item is repeated."""

    hop: list[Item]
    """The items that results are wanted for: the first ones of the hop, fewer than `Window.hop` only at the end."""


def windows(items: Iterable[Item], window: Window) -> Iterator[WindowOf[Item]]:
    """Cut one shot into windows that advance by `window.hop`, reading ahead no further than `window.future`.

    Args:
        items: of one shot, in order.
        window: what the method declares.
    """
    source = iter(items)
    ahead = list(islice(source, window.hop + window.future))
    if not ahead:
        return
    past = [ahead[0]] * window.past
    while ahead:
        yield _window_of(past, ahead, window)
        past = [*past, *ahead[: window.hop]][-window.past :] if window.past else []
        # Release finished frames before reading more.
        del ahead[: window.hop]
        ahead += islice(source, window.hop)


def _window_of(past: list[Item], ahead: list[Item], window: Window) -> WindowOf[Item]:
    padding = [ahead[-1]] * (window.hop + window.future - len(ahead))
    return WindowOf([*past, *ahead, *padding], ahead[: window.hop])
