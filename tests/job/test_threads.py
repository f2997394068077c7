import sys
import threading
import time
import weakref

import cv2
import pytest
import torch

from chromacord.job.threads import open_blas, prefetch, single_threaded, write_behind


def test_items_come_in_order() -> None:
    with prefetch(iter(range(100))) as items:
        assert list(items) == list(range(100))


def test_reading_ahead_is_bounded() -> None:
    read = []

    def source():
        for item in range(50):
            read.append(item)
            yield item

    with prefetch(source(), depth=3) as items:
        next(items)
        time.sleep(0.3)
        assert len(read) <= 6  # one given, three waiting, one or two in hand


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def source():
        yield 1
        raise ValueError("broken")

    with prefetch(source()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="broken"):
            next(items)


def test_leaving_early_closes_the_source_and_ends_the_thread() -> None:
    closed = threading.Event()

    def source():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with pytest.raises(KeyboardInterrupt), prefetch(source()) as items:
        next(items)
        raise KeyboardInterrupt
    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_writing_keeps_order_and_waits_at_the_end() -> None:
    written: list[int] = []

    def slow(item: int) -> None:
        time.sleep(0.001)
        written.append(item)

    with write_behind(slow) as put:
        for item in range(30):
            put(item)
    assert written == list(range(30))


def test_an_error_while_writing_reaches_the_caller() -> None:
    def fail(item: int) -> None:
        if item == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), write_behind(fail) as put:
        for item in range(1000):
            put(item)


def test_an_error_on_the_last_item_reaches_the_caller() -> None:
    def fail(_: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), write_behind(fail) as put:
        put(0)


def test_an_error_of_the_caller_stops_the_thread() -> None:
    with pytest.raises(RuntimeError, match="mine"), write_behind(lambda item: None) as put:
        put(0)
        raise RuntimeError("mine")
    assert not [thread for thread in threading.enumerate() if thread.name == "write-behind"]


def test_one_thread_is_borrowed_and_given_back() -> None:
    blas = open_blas()
    assert blas is not None, "numpy's wheels hold OpenBLAS"

    def counted() -> tuple[int, ...]:
        return torch.get_num_threads(), cv2.getNumThreads(), blas.get_threads()

    own = blas.get_threads()
    blas.set_threads(2)
    before = counted()
    with pytest.raises(RuntimeError), single_threaded():
        assert counted() == (1, 1, 1)
        raise RuntimeError
    assert counted() == before
    blas.set_threads(own)


def test_another_library_for_matrices_keeps_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy._core._multiarray_umath", sys)
    assert open_blas.__wrapped__() is None
    monkeypatch.setattr("chromacord.job.threads.open_blas", lambda: None)
    with single_threaded():
        assert cv2.getNumThreads() == 1


class Heavy:
    """An object to which no unneeded reference may remain."""


def test_nothing_that_was_handed_on_is_held() -> None:
    read: list[weakref.ref[Heavy]] = []
    made = threading.Event()

    def source():
        for number in range(3):
            item = Heavy()
            read.append(weakref.ref(item))
            yield item
            del item
            if number == 1:
                made.set()

    with prefetch(source()) as items:
        next(items)
        made.wait(5)
        assert [each() is None for each in read][:2] == [True, False]
        next(items)
        assert read[1]() is None
        assert len(list(items)) == 1
        assert next(items, None) is None


def test_nothing_that_was_written_is_held() -> None:
    written: list[weakref.ref[Heavy]] = []
    with write_behind(lambda item: written.append(weakref.ref(item))) as put:
        put(Heavy())
        deadline = time.monotonic() + 5
        while not written and time.monotonic() < deadline:
            time.sleep(0.01)
        while written[0]() is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert written[0]() is None
