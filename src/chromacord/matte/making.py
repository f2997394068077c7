"""Make the matte of a clip, frame by frame, and write it."""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from chromacord.analysis.shots import split_shots
from chromacord.color.management.clip_space import Spaces, settle
from chromacord.errors import ChromacordWarning, CodecError, InputError, counted
from chromacord.io import FrameSource, open_sink, open_source
from chromacord.io.compositing.mask_forms import open_mask
from chromacord.io.stills.patterns import is_image_output, output_pattern
from chromacord.job.mask_check import WEAK
from chromacord.job.threads import reported
from chromacord.masks.proxy import thumbnail
from chromacord.matte.clicks import Click, parse_clicks
from chromacord.matte.clip_pictures import beside, check_shown_size, coverage_of, matte_info, pictures_of
from chromacord.matte.levels import Levels
from chromacord.matte.model import load_model
from chromacord.matte.plate import plate_matte
from chromacord.matte.screen_key import ScreenKey
from chromacord.matte.tracked import DOUBTFUL, TrackedMatte, parse_box
from chromacord.matte.ways import MatteOptions
from chromacord.types import FloatArray, Frame, Progress, VideoInfo

_NUM_SAMPLES = 6
_SAMPLE_STEP = 24
"""Frames between two samples of a clip whose length is unknown."""

_SAMPLE_ROWS = 1080

_GREYS = (".png", ".tif", ".tiff")
"""Image formats that store a matte exactly: grey, lossless, without a transfer curve."""


class MatteSummary(NamedTuple):
    """Result of a run."""

    output: Path
    num_frames: int
    way: str
    """The way and its automatic choices, in words."""

    coverage: float
    """Mean of the matte, in [0, 1]."""

    confidence: float | None
    """Expected overlap with the true matte in the worst frame, in [0, 1]; None: not estimated."""

    seconds: float


class _Way(NamedTuple):
    """A way to make the matte, set up for a clip."""

    coverage: Callable[[Frame], FloatArray]
    """Called with each frame in order."""

    said: str
    tracked: TrackedMatte | None = None

    clicks: Sequence[Click] = ()

    restart: Callable[[], object] | None = None
    """Called before the first frame of every shot but the first."""


def make_matte(
    clip: Path | str,
    output: Path | str,
    options: MatteOptions,
    *,
    force: bool = False,
    progress: Callable[[Progress], object] | None = None,
) -> MatteSummary:
    """Write the matte of a clip: grey, of the clip's shown size, with its rate, frame times and number of frames.

    Args:
        clip: a video, a still, a folder of images or a pattern.
        output: a video or PNG or TIFF images; .mkv holds FFV1.
        options: how to make it.
        force: overwrite existing files.
        progress: called regularly.

    Raises:
        ChromacordError: an option is invalid, a file cannot be read or does not match, or the output cannot be written.
    """
    started = time.perf_counter()
    options.check()
    # Options were checked first, because opening a clip decodes its first frame.
    source = open_source(clip)
    info = matte_info(source.info)
    output = _checked_output(output, info)
    plate = None if options.plate is None else open_source(options.plate)
    if plate is not None:
        check_shown_size(plate.info, info)
    masks = {name: open_mask(path) for name, path in options.limits.items()}
    limits = [_limit(mask, info, inverted=name == "without") for name, mask in masks.items()]
    inputs = [each.info.path for each in (plate, *masks.values()) if each is not None]
    total, peak, count = 0.0, 0.0, 0
    with open_sink(output, info, force=force, copy_streams=False, inputs=inputs) as sink:
        way = _way(source, plate, info, options, progress)
        for frame in _restarted(reported("matte", source.frames(), source.info.num_frames, progress), source, way):
            coverage = way.coverage(frame)
            for limit in limits:
                coverage = coverage * next(limit)
            total, peak = total + float(coverage.mean()), max(peak, float(coverage.max()))
            count += 1
            codes = np.rint(coverage * info.pixel_format.max_code).astype(info.pixel_format.dtype)
            sink.write(Frame((codes,), frame.index, frame.pts, frame.duration))
        # Checked again, because some clips do not state their length; before the commit, so that no wrong matte
        # appears.
        _check_frames(way.clicks, count, info)
        sink.finish()
        sink.commit()
    if way.tracked is not None:
        _warn_of_doubts(way.tracked, info)
    if peak <= WEAK:
        message = f"{sink.path}: never exceeds {peak:.0%}: {way.said} found no foreground, or the limits leave none"
        warnings.warn(message, ChromacordWarning, stacklevel=2)
    confidence = None if way.tracked is None else way.tracked.confidence
    return MatteSummary(sink.path, count, way.said, total / max(count, 1), confidence, time.perf_counter() - started)


def _check_frames(clicks: Sequence[Click], num_frames: int | None, info: VideoInfo) -> None:
    """Refuse clicks on frames that a clip does not have."""
    for click in clicks:
        if num_frames is not None and click.frame >= num_frames:
            raise InputError(
                f"{'--click' if click.is_inside else '--click-out'}: {info.path} has no frame {click.frame}; it has "
                f"{counted(num_frames, 'frame')}, counted from 0"
            )


def _warn_of_doubts(tracked: TrackedMatte, info: VideoInfo) -> None:
    """Warn if tracking lost the foreground, or may have."""
    confidence = tracked.confidence
    for first, last in tracked.gaps:
        message = f"the foreground was lost in frames {first} to {last} (counted from 0; confidence {confidence:.2f})"
        warnings.warn(f"{info.path}: {message}; the mask is black there", ChromacordWarning, stacklevel=3)
    if tracked.lost_at is not None:
        message = (
            f"frame {tracked.lost_at} (counted from 0): the foreground was lost (confidence {confidence:.2f}); "
            "the mask is black from there; click on it there, --click X,Y,FRAME, or make a mask of the rest by itself"
        )
    elif confidence < DOUBTFUL and not tracked.gaps:
        message = (
            f"the foreground is hard to tell from what is around it (confidence {confidence:.2f}); look at the mask"
        )
    else:
        return
    warnings.warn(f"{info.path}: {message}", ChromacordWarning, stacklevel=3)


def _checked_output(output: Path | str, info: VideoInfo) -> Path | str:
    """Return the output; for a folder, PNG replaces formats that cannot store a matte exactly.

    Raises:
        CodecError: the output names such a format.
    """
    if not is_image_output(output):
        return output
    pattern = output_pattern(output, info)
    if pattern.suffix.lower() in _GREYS:
        return output
    if pattern.folder == Path(output):
        return pattern.folder / replace(pattern, suffix=_GREYS[0], written=None).label
    raise CodecError(f"{output}: a matte is not written as {pattern.suffix}; give .mkv, .png or .tif")


def _way(
    source: FrameSource,
    plate: FrameSource | None,
    info: VideoInfo,
    options: MatteOptions,
    progress: Callable[[Progress], object] | None,
) -> _Way:
    levels = None if options.clip is None else Levels.parse(options.clip)
    if options.from_alpha:
        return _Way(coverage_of(source, info, own=True), "the clip's alpha")
    picture = pictures_of(source)
    if plate is not None:
        plates = beside(plate, pictures_of(plate), info)
        said = f"difference to {plate.info.path.name}"
        return _Way(lambda frame: plate_matte(picture(frame), next(plates), levels), said)
    if options.model is not None:
        model = load_model(options.model, options.model_config, info.size)
        said = f"model {Path(options.model).name}"
        return _Way(
            lambda frame: model.matte(picture(frame)), said, restart=model.restart if model.is_recurrent else None
        )
    if options.box is not None or options.clicks:
        box = None if options.box is None else parse_box(options.box, info.size, info.path)
        clicks = parse_clicks(options.clicks, options.clicks_out, info.size, info.path)
        tracked = TrackedMatte(box, clicks)
        _check_frames(clicks, source.info.num_frames, info)
        given = [f"box {options.box}"] if options.box is not None else []
        given += [counted(len(clicks), "click")] if clicks else []
        said = f"{', '.join(given)}, followed"
        return _Way(lambda frame: tracked.matte(picture(frame)), said, tracked, clicks)
    assert options.key is not None
    samples = [_reduced(picture(frame)) for frame in reported("analyse", _samples(source), None, progress)]
    if not samples:
        raise InputError(f"{source.info.path}: has no frames in which to find the screen")
    key = ScreenKey(options.key, samples, levels)
    return _Way(lambda frame: key.matte(picture(frame)), key.choice)


def _restarted(frames: Iterable[Frame], source: FrameSource, way: _Way) -> Iterator[Frame]:
    """Yield the frames of a clip, and restart a recurrent model at each cut."""
    if way.restart is None:
        yield from frames
        return
    info, _ = settle(source.info, Spaces())
    before = 0
    for frame, shot in split_shots(frames, lambda frame: thumbnail(frame, info, width=72)):
        if shot != before:
            way.restart()
        before = shot
        yield frame


def _samples(source: FrameSource) -> Iterator[Frame]:
    """Yield a few frames spread over a clip."""
    length = source.info.num_frames
    # One pass without seeking, so that formats without an index can be sampled too.
    step = _SAMPLE_STEP if length is None else max(1, -(-length // _NUM_SAMPLES))
    first = 0 if length is None else min(step, length) // 2
    for frame in source.frames(0, _NUM_SAMPLES * step):
        if frame.index % step == first:
            yield frame


def _reduced(picture: FloatArray) -> FloatArray:
    """Return a sample of at most 1080 rows, because several are held in memory. Shape (H, W, 3)."""
    height, width = picture.shape[:2]
    if height <= _SAMPLE_ROWS:
        return picture
    size = (max(1, round(width * _SAMPLE_ROWS / height)), _SAMPLE_ROWS)
    reduced: FloatArray = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return reduced


def _limit(mask: FrameSource, info: VideoInfo, *, inverted: bool) -> Iterator[FloatArray]:
    """Yield the share of the matte that a mask leaves in each frame."""
    of = coverage_of(mask, info)
    return beside(mask, (lambda frame: 1 - of(frame)) if inverted else of, info)
