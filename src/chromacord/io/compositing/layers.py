"""A foreground with alpha over a background, as one clip."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from chromacord.errors import InputError, MismatchError, counted
from chromacord.io.compositing.mattes import MatteReader, choose_alpha
from chromacord.io.compositing.overlay import Overlay
from chromacord.io.compositing.partners import check_size, frames_beside, is_held
from chromacord.io.interfaces import FrameSource
from chromacord.io.orientation import Orientation
from chromacord.io.stills.patterns import warn_of_numbers
from chromacord.types import Frame, PixelFormat, Plane, Size, VideoInfo


class LayeredSource(FrameSource):
    """The composite of a foreground over a background, with the background's format, timestamps and attributes.

    A foreground or matte that is a single still applies to all frames.
    """

    def __init__(self, foreground: FrameSource, background: FrameSource, alpha: FrameSource | None = None) -> None:
        """Check that the layers match.

        Args:
            foreground: straight or premultiplied, according to its `PixelFormat.alpha`.
            background: determines format, size, rate and timestamps.
            alpha: a matte, white for the foreground: its alpha if it has one, otherwise its luma. None: the
                foreground's own alpha.

        Raises:
            InputError: there is no alpha.
            MismatchError: the sizes differ.
        """
        if alpha is None and not foreground.has_alpha:
            raise InputError(
                f"{foreground.info.path}: has no alpha channel; give a matte with --alpha, or a foreground with alpha"
            )
        self.info = background.info
        layers = (foreground, background) if alpha is None else (foreground, background, alpha)
        self.paths: tuple[Path, ...] = tuple(layer.info.path for layer in layers)
        """Files of all layers: foreground, background, and the matte if there is one."""

        for layer in layers:
            size = _turned(layer.info, background.info).size
            check_size(layer.info.path, size, background.info, background.info.size, name="background")
            warn_of_numbers(layer.info, background.info)
        self._background = background
        self._foreground, self._alpha = foreground, alpha
        self._orientation = _orientation(foreground.info, background.info)
        self.foreground_info = _turned(foreground.info, background.info)
        """Properties of the foreground frames returned by `layers`, rotated to match the background."""

        matte = foreground if alpha is None else alpha
        self._matte_orientation = _orientation(matte.info, background.info)
        self._matte = MatteReader(matte.info, from_alpha=alpha is None or choose_alpha(alpha))
        self.mask_info = _turned(self._matte.info, background.info)
        """Properties of the mask frames returned by `layers`: grey, full range."""

        self.clean: Callable[[Sequence[Plane], Plane], tuple[Plane, ...]] | None = None
        """Changes the foreground's planes, given the mask, before both are composited; None: not at all."""

        self.adjust: Callable[[Plane], Plane] | None = None
        """Changes the mask, after `clean`; None: not at all."""

        self.shade: Callable[[Frame, Plane], Frame] | None = None
        """Darkens the background, given the mask, before the foreground is laid over it; None: not at all."""

        self._overlay = Overlay(self.foreground_info, background.info)

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame, None, None]:
        """Composite the frames start..stop-1. See `FrameSource.frames`.

        Raises:
            MismatchError: one layer ends before another.
        """
        with closing(self.layers(start, stop)) as layers:
            for composite, _, _ in layers:
                yield composite

    def layers(self, start: int = 0, stop: int | None = None) -> Generator[tuple[Frame, Frame, Frame], None, None]:
        """Composite the frames start..stop-1, and return the layers too.

        Returns:
            For each frame the composite, its mask (one grey plane, see `mask_info`) and the foreground alone (see
            `foreground_info`), each with the background's index and timestamps. Outside the mask's support the
            composite's planes are bit-identical to the background's, as shaded.

        Raises:
            MismatchError: one layer ends before another; names both counts.
        """
        with ExitStack() as stack:
            backgrounds = stack.enter_context(closing(self._background.frames(start, stop)))
            foregrounds = stack.enter_context(closing(frames_beside(self._foreground, self.info, start, stop)))
            mattes = None
            if self._alpha is not None:
                mattes = stack.enter_context(closing(frames_beside(self._alpha, self.info, start, stop)))
            count, held = start, None  # stills are prepared once
            for background in backgrounds:
                foreground = next(foregrounds, None)
                matte = foreground if mattes is None else next(mattes, None)
                if foreground is None or matte is None:
                    shorter = self._foreground if foreground is None or self._alpha is None else self._alpha
                    # Counting the rest decodes it, but only for the error; the user can then trim to the right
                    # length.
                    raise _different_lengths(shorter, count, self._background, count + 1 + _count(backgrounds))
                if held is None or foreground is not held[0] or matte is not held[1]:
                    held = (foreground, matte, *self._prepared(foreground, matte))
                yield self._combine(background, *held[2:])
                count += 1
            for layer, rest in ((self._foreground, foregrounds), (self._alpha, mattes)):
                extra = 0 if layer is None or rest is None or is_held(layer, self.info) else _count(rest)
                if layer is not None and extra:
                    raise _different_lengths(layer, count + extra, self._background, count)

    def _prepared(self, foreground: Frame, matte: Frame) -> tuple[tuple[Plane, ...], Plane]:
        """Return the foreground's planes and its mask, turned and changed."""
        mask = self._matte_orientation.apply(self._matte.read(matte.planes))
        layer = tuple(self._orientation.apply(plane) for plane in foreground.planes)
        layer = layer if self.clean is None else self.clean(layer, mask)
        return layer, mask if self.adjust is None else self.adjust(mask)

    def _combine(self, background: Frame, layer: tuple[Plane, ...], mask: Plane) -> tuple[Frame, Frame, Frame]:
        background = background if self.shade is None else self.shade(background, mask)
        planes = self._overlay.composite(layer, background.planes, mask, mask_format=self.mask_info.pixel_format)
        return (
            replace(background, planes=planes),
            replace(background, planes=(mask,), attributes=None),
            replace(background, planes=layer, attributes=None),
        )


def _orientation(layer: VideoInfo, background: VideoInfo) -> Orientation:
    """Return the rotation from a layer's stored pixels to the background's."""
    return Orientation.of(layer).relative_to(Orientation.of(background))


def _turned(layer: VideoInfo, background: VideoInfo) -> VideoInfo:
    placed = replace(
        layer,
        rotation=background.rotation,
        mirrored=background.mirrored,
        display_shift=background.display_shift,
    )
    if _orientation(layer, background).rotation % 180 == 0:
        return placed
    down, right = layer.pixel_format.subsampling
    # A quarter turn swaps the directions of subsampled chroma as well: 4:2:2 becomes 4:4:0.
    pixel_format: PixelFormat = replace(layer.pixel_format, subsampling=(right, down))
    size = Size(layer.size.width, layer.size.height)
    return replace(placed, size=size, pixel_format=pixel_format)


def _different_lengths(layer: FrameSource, count: int, background: FrameSource, expected: int) -> MismatchError:
    return MismatchError(
        f"{layer.info.path}: has {counted(count, 'frame')}, but the background {background.info.path} has {expected}; "
        "trim or extend one of them, or choose a range with --frames"
    )


def _count(frames: Iterator[Frame]) -> int:
    return sum(1 for _ in frames)
