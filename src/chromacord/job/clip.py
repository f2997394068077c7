"""A composite with its mask, from any kind of file; can be read repeatedly."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol

from chromacord.color.management.clip_space import SpaceOfClip, Spaces, explicit, settle
from chromacord.errors import ChromacordWarning, InputError, MismatchError, counted
from chromacord.io import FrameSource, LayeredSource, open_source
from chromacord.io.compositing.alpha_kind import read_as
from chromacord.io.compositing.mask_forms import open_mask
from chromacord.io.compositing.mattes import choose_alpha
from chromacord.io.stills.image_layers import UNNAMED, is_data
from chromacord.io.stills.patterns import warn_of_numbers
from chromacord.job.finishing.stages import check_layers, with_changes
from chromacord.job.mask_check import warn_of_stretching
from chromacord.job.options import Options
from chromacord.masks.edge import Edge
from chromacord.masks.masks import Mask, MaskedFrame, MaskReader, shown_size, without_alpha
from chromacord.render.fitted_edge import FittedEdge
from chromacord.types import ALPHA_WORDS, Frame, VideoInfo


class MaskedClip(Protocol):
    """A clip that analysis and rendering can read."""

    info: VideoInfo
    """Properties of the composite, which the output follows."""

    foreground: VideoInfo | None
    """Properties of the foreground, if it is a separate layer."""

    paths: tuple[Path, ...]
    """Paths of all inputs."""

    mask_path: Path
    """Path of the input with the mask."""

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[MaskedFrame]:
        """Yield frames start..stop-1 with their masks."""

    def pictures(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[Frame, Frame | None]]:
        """Yield frames start..stop-1, each with the foreground alone if it is a separate layer.

        For callers that have the masks already: a separate mask file is not read.
        """


class CompositeClip:
    """A composite and a mask in separate files, or a composite whose alpha is the mask."""

    foreground: VideoInfo | None = None
    paths: tuple[Path, ...]

    def __init__(
        self,
        composite: FrameSource,
        mask: FrameSource | None,
        *,
        mask_fit: bool = False,
        salvage: bool = False,
        edge: str | None = None,
        fit_edge: int | None = None,
    ) -> None:
        """Check that composite and mask match.

        Args:
            composite: the finished picture.
            mask: luma is the mask, white for the foreground, or its alpha if it has one; a single still applies to all
                frames. None: the composite's own alpha is the mask.
            mask_fit: scale a mask of another size.
            salvage: if one clip is shorter, end there with a warning.
            edge: what is done to the mask's edge, see `Edge.parse`; None: nothing.
            fit_edge: pixels within which the mask's edge is fitted to the picture; None: not at all.

        Raises:
            InputError: the composite has no alpha.
            MismatchError: the sizes differ.
        """
        changed = None if edge is None else Edge.parse(edge)
        self._composite, self._mask, self._salvage = composite, mask, salvage
        self.mask_path = (mask or composite).info.path
        self._fitted = None if fit_edge is None else FittedEdge(without_alpha(composite.info), fit_edge)
        if mask is None:
            if not composite.has_alpha:
                raise InputError(f"{composite.info.path}: has no alpha channel to take the mask from; give a mask file")
            self.info, self.paths = without_alpha(composite.info), (composite.info.path,)
            self._reader = MaskReader(composite.info, composite.info, from_alpha=True, edge=changed)
            return
        if shown_size(mask.info) != shown_size(composite.info) and not mask_fit:
            raise MismatchError(
                f"{mask.info.path}: the mask is {_dimensions(mask.info)}, the composite {composite.info.path} is "
                f"{_dimensions(composite.info)}; use --mask-fit to scale the mask"
            )
        warn_of_stretching(mask.info, composite.info)
        warn_of_numbers(mask.info, composite.info)
        self.info, self.paths = composite.info, (composite.info.path, mask.info.path)
        self._reader = MaskReader(mask.info, composite.info, from_alpha=choose_alpha(mask), fit=mask_fit, edge=changed)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[MaskedFrame]:
        """Yield frames start..stop-1 with their masks.

        Raises:
            MismatchError: one clip ends before the other; names the first frame without a partner, and both counts.
        """
        if self._mask is None:
            yield from (self._masked(frame, self._reader.read(frame)) for frame in self._composite.frames(start, stop))
        elif self._mask.info.container == "still" and self._composite.info.container != "still":
            mask = self._reader.read(next(self._mask.frames()))
            yield from (self._masked(frame, mask) for frame in self._composite.frames(start, stop))
        else:
            yield from self._paired(self._mask, start, stop)

    def pictures(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[Frame, None]]:
        """Yield frames start..stop-1 alone. See `MaskedClip.pictures`."""
        yield from ((frame, None) for frame in self._composite.frames(start, stop))

    def _masked(self, frame: Frame, mask: Mask) -> MaskedFrame:
        return MaskedFrame(frame, mask if self._fitted is None else self._fitted(frame, mask))

    def _paired(self, mask: FrameSource, start: int, stop: int | None) -> Iterator[MaskedFrame]:
        with closing(self._composite.frames(start, stop)) as frames, closing(mask.frames(start, stop)) as masks:
            number = start
            for frame in frames:
                partner = next(masks, None)
                if partner is None:
                    self._end(number, number, number + 1 + _count(frames))
                    return
                yield self._masked(frame, self._reader.read(partner))
                number += 1
            extra = _count(masks)
            if extra:
                self._end(number, number + extra, number)

    def _end(self, first: int, num_masks: int, num_frames: int) -> None:
        """Refuse clips of different lengths, or warn that the result has the shorter length."""
        if not self._salvage:
            # No local variable: a traceback references its frames and their decoders, so they must not reference the
            # error.
            raise self._mismatch(first, num_masks, num_frames)
        mismatch = str(self._mismatch(first, num_masks, num_frames)).partition(";")[0]
        warnings.warn(ChromacordWarning(f"{mismatch}; the result ends with the shorter one"), stacklevel=2)

    def _mismatch(self, first: int, num_masks: int, num_frames: int) -> MismatchError:
        lone = f"frame {first} of the composite has no mask"
        if num_masks > num_frames:
            lone = f"frame {first} of the mask has no composite"
        return MismatchError(
            f"{self.mask_path}: the mask has {counted(num_masks, 'frame')}, the composite {self.info.path} has "
            f"{counted(num_frames, 'frame')}: {lone} (counted from 0); trim or extend one of them, or choose a range "
            "with --frames"
        )


class LayeredClip:
    """A foreground with alpha over a background."""

    def __init__(self, layers: LayeredSource) -> None:
        """Wrap layers, whose sizes were checked when they were combined."""
        self._layers = layers
        self.info = layers.info
        self.foreground: VideoInfo | None = layers.foreground_info
        self.paths, self.mask_path = layers.paths, layers.mask_info.path
        self._reader = MaskReader(layers.mask_info, layers.info)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[MaskedFrame]:
        """Iterate over the composited frames start..stop-1 with their masks and the foreground alone."""
        for composite, mask, foreground in self._layers.layers(start, stop):
            yield MaskedFrame(composite, self._reader.read(mask), foreground)

    def pictures(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[Frame, Frame]]:
        """Iterate over the composited frames start..stop-1 and the foreground alone. See `MaskedClip.pictures`."""
        for composite, _, foreground in self._layers.layers(start, stop):
            yield composite, foreground


def _count(frames: Iterator[Frame]) -> int:
    return sum(1 for _ in frames)


def _dimensions(info: VideoInfo) -> str:
    size = shown_size(info)
    return f"{size.width}x{size.height}"


def open_clip(paths: Mapping[str, Path | None], options: Options) -> tuple[MaskedClip, SpaceOfClip]:
    """Open the given composite with its mask, or the layers.

    Args:
        paths: by "composite", "mask", "foreground", "alpha" and "background"; None if not given.
        options: how to read them.

    Returns:
        The clip, and the output's colour space.

    Raises:
        ChromacordError: a file cannot be read, or they do not form a clip.
    """
    alpha = None if str(paths["alpha"]) not in ALPHA_WORDS else str(paths["alpha"])
    paths = {**paths, "alpha": None if alpha else paths["alpha"]}
    given = {name for name, path in paths.items() if path is not None}
    sources = {
        name: (open_mask if name in _MASKS else open_source)(
            path,
            missing=options.missing,
            salvage=options.salvage,
            layer=options.layer if name in _GRADED else None,
            device=options.device,
            # The first pass begins at once, so it goes on from the picture that was decoded to learn the
            # format.
            keep=True,
        )
        for name, path in paths.items()
        if path is not None and given in _COMBINATIONS and not (name == "mask" and str(path) == "alpha")
    }
    for name, source in sources.items():
        if options.layer is None or name not in _GRADED:
            _tell_layer(source.info, name)
    if alpha is not None and "foreground" in sources:
        sources["foreground"].info = read_as(sources["foreground"], alpha)
    space = _settle_spaces(sources, options.spaces)
    if given == {"composite", "mask"} and space is not None:
        check_layers(options)
        clip = CompositeClip(
            sources["composite"],
            sources.get("mask"),
            mask_fit=options.mask_fit,
            salvage=options.salvage,
            edge=options.edge,
            fit_edge=options.fit_edge,
        )
        return clip, space
    if given in _COMBINATIONS and space is not None:
        layers = LayeredSource(sources["foreground"], sources["background"], sources.get("alpha"))
        return LayeredClip(with_changes(layers, options)), space
    if given == {"composite"}:
        raise InputError(f"{paths['composite']}: needs a mask; give --mask FILE, or --mask alpha for its own alpha")
    wanted = {"foreground", "background"} if given & {"foreground", "alpha", "background"} else {"composite", "mask"}
    absent = " and ".join(sorted(wanted - given)) or "either a composite with a mask, or layers, not both"
    raise InputError(
        f"needs {absent}: give a composite with --mask, or --foreground (with --alpha, if it has no alpha of its own) "
        "and --background"
    )


def _settle_spaces(sources: dict[str, FrameSource], spaces: Spaces) -> SpaceOfClip | None:
    """Give the sources of pictures their colour spaces; return that of the output, None where there is no picture."""
    found: dict[str, SpaceOfClip] = {}
    for name in _PICTURES:
        if name in sources:
            sources[name].info, found[name] = settle(sources[name].info, spaces, name)
    # Layers in different spaces can only be mixed if each has a named one, even those that would be graded
    # directly.
    if len(found) > 1 and any(each.space is not None for each in found.values()):
        for name in found:
            sources[name].info = explicit(sources[name].info)
    return found.get("composite") or found.get("background")


def _tell_layer(info: VideoInfo, name: str) -> None:
    """Name the layer of an EXR that is used as the picture, where others may have been meant, or none."""
    if info.other_layers:
        remedy = "choose with --layer NAME" if name in _GRADED else "write a file of its own if another is meant"
        doubt = f"not {', '.join(info.other_layers)}; {remedy}"
    elif name in _PICTURES and is_data(info.layer):
        doubt = "although its name suggests data, not colours; check that it is the picture"
    else:
        return
    message = f"{info.path}: layer {info.layer or UNNAMED} is used as the picture, {doubt}"
    warnings.warn(ChromacordWarning(message), stacklevel=2)


_MASKS = ("mask", "alpha")
_GRADED = ("composite", "foreground")
_PICTURES = ("composite", "foreground", "background")

_COMBINATIONS = (
    {"composite", "mask"},
    {"foreground", "background"},
    {"foreground", "alpha", "background"},
)
