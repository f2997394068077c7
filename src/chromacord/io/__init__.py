"""Read and write video and image files. No other package imports av or OpenImageIO.

`open_source` and `open_sink` choose by the path what reads or writes it.
"""

import warnings
from collections.abc import Iterable
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Literal

from chromacord.errors import ChromacordWarning, InputError
from chromacord.io.compositing.layers import LayeredSource
from chromacord.io.converting import open_video_sink
from chromacord.io.interfaces import FrameSink, FrameSource
from chromacord.io.stills.image_formats import is_image_name
from chromacord.io.stills.patterns import is_folder, is_image_output
from chromacord.io.video.video_source import VideoSource
from chromacord.io.writing.places import check_input, check_output_path, refuse_inputs
from chromacord.types import Encoding, Size, VideoInfo

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
        path: a video file; a pattern (`shot.%04d.png`, `shot.####.exr`, `shot.@@@@.dpx`); a folder that holds one
            sequence; or an image, which is a clip of one frame.
        missing: what a gap in a sequence does: "error", or "hold" to repeat the frame before it.
        salvage: of a file, or a sequence, that breaks in the middle, use what comes before.
        rate: frames a second of a sequence; None: as its files state it, else 24. A video states its own.
        device: "cuda" for a GPU's decoder, where it has one for a video.
        layer: of EXR files, by its name; None: the likeliest to be the picture.
        keep: hold a video open, its first picture decoded, for a first pass over its frames that begins soon.

    Raises:
        MissingFileError: there is no such file, or no image in the folder.
        SequenceGapError: a sequence lacks frames.
        UnreadableFileError: the file is no video or image that can be decoded.
        InputError: the folder holds several sequences, or none has such a layer; or a rate or a layer is given for a
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
        path: a video file; a pattern; a folder (ends with "/", exists, or has no ending), in which images are called as
            the source's, or `frame.%06d.png` for a video; or an image, for a clip of one frame. Images carry the
            numbers of the source's, those of a video count from 0.
        like: the source whose frames come, in its planes.
        encoding: how a video, or EXR files, are coded; None leaves it to source and container.
        force: replace what exists.
        copy_streams: copy sound, subtitles and data of a video to a video.
        size: of the pictures, where it is not the source's.
        trimmed: only a part of the clip comes.
        inputs: paths that the run reads; to write over one of them is refused even with `force`.

    Raises:
        OutputExistsError: the output exists and `force` is not given, or it is an input.
        OutputError: its folder cannot be written to, or one image is to hold several frames.
        CodecError: the output cannot hold the source's alpha or depth, or its ending is unknown.
    """
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
        f"{path}: has no ending, so it is made a folder of images, {images}; for a video end it in .mp4, .mov or .mkv",
        ChromacordWarning,
        stacklevel=3,
    )


def _warn_of_unused(encoding: Encoding | None) -> None:
    given = [] if encoding is None else [field.name for field in fields(Encoding) if getattr(encoding, field.name)]
    unused = [name for name in given if name != "exr_compression"]
    if unused:
        warnings.warn(f"images have no {' and no '.join(unused)}; ignored", ChromacordWarning, stacklevel=3)
