"""Detect damage that libav conceals and reports in its log only.

The log is libav's own, of all its contexts and threads together, and names no file. So it is only listened to, for
errors of a decoder or demuxer of the same name, and a file that may be meant is decoded once more, in one thread, whose
messages can only be about it. That costs nothing as long as there is no damage.

PyAV's callback waits for the interpreter's lock in whichever thread of libav writes a message. Freeing a decoder holds
that lock and waits for its threads, so `Reading` flushes a decoder first, which lets go of the lock meanwhile.
"""

import logging
from itertools import islice
from threading import RLock
from typing import NamedTuple

import av
import av.error
import av.logging
from av.container import InputContainer
from av.video.stream import VideoStream

from chromacord.io.video.remux import find_picture

_LOGGER = logging.getLogger("libav")
_CERTAIN = ("ffv1",)
"""Decoders whose errors are due to damage alone. FFV1 has check sums (RFC 9043, section 4.9.3), and where one is wrong
libav fills the picture with what its memory holds: each pass over the file gives another."""


class Damage(NamedTuple):
    """What libav logged first of a file."""

    frame: int
    """How many pictures came before it: where pictures are reordered, it is near this one."""

    message: str
    is_certain: bool
    """Whether the file is damaged, rather than unusual."""


class Listener:
    """Whether libav has logged errors, since it was made, that may be about one file."""

    def __init__(self, *names: str) -> None:
        """Begin to listen.

        Args:
            names: of the file's decoder and demuxer.
        """
        self.has_heard = False
        self._names = names
        _EAR.add(self)

    def close(self) -> None:
        """Listen no more; may be called again."""
        _EAR.remove(self)

    def hear(self, name: str) -> None:
        """Take note of an error of the decoder or demuxer of this name."""
        if name in self._names:
            self.has_heard = True


class _Ear(logging.Handler):
    """Hands libav's errors to all listeners, as long as there are any."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._listeners: list[Listener] = []
        self._change = RLock()  # garbage collection may close listeners at any moment, even in here
        self._level: int | None = None
        self._skips = True

    def add(self, listener: Listener) -> None:
        with self._change:
            self._listeners.append(listener)
            if len(self._listeners) == 1:
                self._level, self._skips = av.logging.get_level(), av.logging.get_skip_repeated()
                # Keep the log level of programs that asked for more than errors.
                av.logging.set_level(max(self._level or 0, av.logging.ERROR))
                # libav suppresses repeated messages; two threads may log the same one.
                av.logging.set_skip_repeated(False)
                _LOGGER.addHandler(self)

    def remove(self, listener: Listener) -> None:
        with self._change:
            if listener not in self._listeners:
                return
            self._listeners.remove(listener)
            if not self._listeners:
                _LOGGER.removeHandler(self)
                av.logging.set_skip_repeated(self._skips)
                av.logging.set_level(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        name = record.name.removeprefix("libav.")
        for listener in tuple(self._listeners):
            listener.hear(name)


_EAR = _Ear()


class DamageCheck:
    """Finds out what libav logs of one file while it is read."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        """Begin to listen.

        Args:
            container: of the file, open.
            stream: of its pictures.
        """
        self._location = container.name
        self._names = (stream.codec_context.name, container.format.name)
        self._listener = Listener(*self._names)
        self._next = 0

    def look(self, num_packets: int, *, at_end: bool = False) -> Damage | None:
        """Return what was logged of the packets so far, where anything was; None else.

        Args:
            num_packets: that were handed to the decoder. Where others' damage was heard, the next look is put off until
                there are twice as many, so that all looks together cost two passes at most.
            at_end: nothing is put off.
        """
        if not self._listener.has_heard or (num_packets < self._next and not at_end):
            return None
        self._listener.has_heard, self._next = False, 2 * num_packets
        return find_damage(self._location, self._names, num_packets)

    def close(self) -> None:
        """Listen no more; may be called again."""
        self._listener.close()


def find_damage(location: str, names: tuple[str, ...], num_packets: int) -> Damage | None:
    """Decode the beginning of a file until libav logs an error; return it, or None.

    Args:
        location: of a file that was opened before, as libav takes it.
        names: of its decoder and demuxer, whose errors count.
        num_packets: how many packets of pictures are decoded.
    """
    count = 0
    try:
        with av.logging.Capture() as logs, av.open(location, metadata_errors="replace") as container:
            stream = find_picture(container)
            if stream is None:
                return None
            stream.codec_context.thread_count = 1  # messages then come from this thread
            logs.clear()  # drop messages from opening, which decodes a few pictures that are decoded again
            for packet in islice(container.demux(stream), num_packets + 1):
                pictures = stream.codec_context.decode(packet)
                for level, name, text in logs:
                    if level <= av.logging.ERROR and name in names:
                        return Damage(count, text.strip(), is_certain=name in _CERTAIN)
                logs.clear()
                count += len(pictures)
    except av.error.FFmpegError:
        pass  # errors raised to callers are not looked for here
    return None
