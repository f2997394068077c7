"""Detect damage that libav conceals and only reports in its log.

The log covers all of libav's contexts and threads, and names no file. It is therefore only used as a trigger: if a
decoder or demuxer of the same name logs an error, the file is decoded once more in one thread, whose messages can only
be about it. This costs nothing as long as there is no damage.

PyAV's log callback waits for the GIL in the libav thread that logs. Freeing a decoder holds the GIL while waiting for
its threads, so `Reading` first flushes the decoder, which releases the GIL meanwhile.
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
"""Decoders whose errors always mean damage. FFV1 has checksums (RFC 9043, section 4.9.3); if one is wrong, libav fills
the picture with uninitialized memory, which differs in each pass."""


class Damage(NamedTuple):
    """The first error that libav logged about a file."""

    frame: int
    """Number of pictures before it; with reordered pictures, the damage is near this one."""

    message: str
    is_certain: bool
    """Whether the file is damaged rather than unusual."""


class Listener:
    """Records whether libav has logged errors since its creation that may concern one file."""

    def __init__(self, *names: str) -> None:
        """Start listening.

        Args:
            names: names of the file's decoder and demuxer.
        """
        self.has_heard = False
        self._names = names
        _EAR.add(self)

    def close(self) -> None:
        """Stop listening; may be called repeatedly."""
        _EAR.remove(self)

    def hear(self, name: str) -> None:
        """Record an error of the decoder or demuxer of this name."""
        if name in self._names:
            self.has_heard = True


class _Ear(logging.Handler):
    """Forwards libav's errors to all listeners while there are any."""

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
        # A copy, because listeners come and go in other threads while libav logs.
        for listener in tuple(self._listeners):
            listener.hear(name)


_EAR = _Ear()


class DamageCheck:
    """Finds libav's messages about one file while it is read."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        """Start listening.

        Args:
            container: the open file.
            stream: its video stream.
        """
        self._location = container.name
        self._names = (stream.codec_context.name, container.format.name)
        self._listener = Listener(*self._names)
        self._next = 0

    def look(self, num_packets: int, *, at_end: bool = False) -> Damage | None:
        """Return what was logged about the packets so far; None if nothing was.

        Args:
            num_packets: number of packets passed to the decoder. If an error was another file's, the next check waits
                for twice as many packets, so that all checks together cost at most two passes.
            at_end: check without waiting.
        """
        if not self._listener.has_heard or (num_packets < self._next and not at_end):
            return None
        # Doubling bounds the cost: the checks of 1, 2, 4, ... packets decode at most twice as many as the file
        # has.
        self._listener.has_heard, self._next = False, 2 * num_packets
        return find_damage(self._location, self._names, num_packets)

    def close(self) -> None:
        """Stop listening; may be called repeatedly."""
        self._listener.close()


def find_damage(location: str, names: tuple[str, ...], num_packets: int) -> Damage | None:
    """Decode the beginning of a file until libav logs an error; return it, or None.

    Args:
        location: libav's URL of a file that was opened before.
        names: names of its decoder and demuxer, whose errors count.
        num_packets: number of video packets to decode.
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
        pass  # errors that libav raises are reported by the reader itself
    return None
