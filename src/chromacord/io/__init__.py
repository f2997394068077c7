"""Read and write video and image files. No other package imports av or OpenImageIO.

`open_source` and `open_sink` select a reader or writer by the path.
"""

import os
import warnings
from collections.abc import Iterable
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Literal

from chromacord.errors import ChromacordWarning, InputError
from chromacord.io.compositing.layers import LayeredSource
from chromacord.io.interfaces import FrameSink, FrameSource
from chromacord.io.stills.image_formats import is_image_name
from chromacord.io.stills.patterns import is_folder, is_image_output
from chromacord.io.video.video_source import VideoSource
from chromacord.io.writing.places import check_input, check_output_path, refuse_inputs
from chromacord.io.writing.video_output import open_video_sink
from chromacord.types import STDOUT, Encoding, Size, VideoInfo

__all__ = ["Encoding", "FrameSink", "FrameSource", "LayeredSource", "open_sink", "open_source"]


def open_source(
    path: Path | str,
    *,
    missing: Literal["error", "hold"] = "error",
    salvage: bool = False,
    rate: Fraction | None = None,
    device: str = "cpu",
    keep: bool = False,
    layer: str | None = None,
) -> FrameSource:
    """Open a video, an image sequence or a still.

    Args:
        path: a video file; a pattern (`shot.%04d.png`, `shot.####.exr`, `shot.@@@@.dpx`); a folder with one sequence;
            or an image, which becomes a clip of one frame.
        missing: how to handle a gap in a sequence: "error", or "hold" to repeat the previous frame.
        salvage: use the readable part of a file or sequence that is truncated.
        rate: frames per second of a sequence; None: as stated in its files, otherwise 24. Videos state their own.
        device: "cuda" to decode a video on a GPU if it supports the codec.
        layer: layer of EXR files by name; None: the one most likely to be the picture.
        keep: keep a video open with its first picture decoded, for a first pass that starts soon.

    Raises:
        MissingFileError: the file does not exist, or the folder has no images.
        SequenceGapError: a sequence lacks frames.
        UnreadableFileError: the file is not a decodable video or image.
        InputError: the folder contains several sequences, the layer does not exist, or a rate or layer is given for a
            video.
    """
    check_input(path)
    path = Path(path)
    if is_folder(path) or is_image_name(path.name):
        from chromacord.io.stills.sequence import SequenceSource  # OpenImageIO takes 30 MB, which videos do not need

        return SequenceSource(path, missing=missing, salvage=salvage, rate=rate, layer=layer)
    if layer is not None:
        raise InputError(f"{path}: a video has no layers; --layer is for EXR files")
    if rate is not None:
        raise InputError(f"{path}: a video has its own frame rate; give a rate only for image sequences")
    return VideoSource(path, salvage=salvage, device=device, keep=keep)


def open_sink(
    path: Path | str,
    like: VideoInfo,
    *,
    encoding: Encoding | None = None,
    force: bool = False,
    copy_streams: bool = True,
    size: Size | None = None,
    trimmed: bool = False,
    inputs: Iterable[Path] = (),
) -> FrameSink:
    """Open an output for the frames of a source.

    Args:
        path: a video file; "-" for standard output; a pattern; a folder (ends with "/", exists, or has no suffix),
            whose images are named like the source's, or `frame.%06d.png` for a video; or an image, for a clip of one
            frame. Images keep the source's numbers; those of a video start at 0.
        like: properties of the source of the frames.
        encoding: how to encode a video; None: decided by source and container.
        force: overwrite existing files.
        copy_streams: copy sound, subtitles and data from a video to a video.
        size: size of the pictures, if different from the source's.
        trimmed: whether only a part of the clip is written.
        inputs: input paths of the run, which are never overwritten, even with `force`.

    Raises:
        OutputExistsError: the output exists and `force` is not set, or it is an input.
        OutputError: its folder cannot be written to, or a single image would have to hold several frames.
        CodecError: the output cannot represent the source's alpha or depth, or its suffix is unknown.
    """
    if os.fspath(path) != STDOUT:
        check_output_path(path)
        refuse_inputs(path, like, inputs=inputs)
    if is_image_output(path):
        from chromacord.io.stills.sequence import SequenceSink

        _warn_of_unused(encoding)
        is_new_folder = not (Path(path).suffix or str(path).endswith("/") or is_folder(Path(path)))
        compression = None if encoding is None else encoding.exr_compression
        sink = SequenceSink(path, like, force=force, size=size, trimmed=trimmed, compression=compression)
        if is_new_folder:
            _warn_of_folder(path, sink.path)
        return sink
    return open_video_sink(
        Path(path),
        like,
        encoding=encoding or Encoding(),
        force=force,
        copy_streams=copy_streams,
        size=size,
        trimmed=trimmed,
    )


def _warn_of_folder(path: Path | str, images: Path) -> None:
    warnings.warn(
        f"{path}: has no extension, so a folder of images is written, {images}; for a video, end the name in .mp4, "
        ".mov or .mkv",
        ChromacordWarning,
        stacklevel=3,
    )


def _warn_of_unused(encoding: Encoding | None) -> None:
    given = [] if encoding is None else [field.name for field in fields(Encoding) if getattr(encoding, field.name)]
    unused = [name for name in given if name != "exr_compression"]
    if unused:
        warnings.warn(f"images have no {' and no '.join(unused)}; ignored", ChromacordWarning, stacklevel=3)
