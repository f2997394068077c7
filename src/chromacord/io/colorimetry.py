"""Between a stream's colour tags and `Colorimetry`, and conversions that name matrix and range on both sides.

libav's numbers for primaries, transfer and matrix are the code points of ITU-T H.273. Left to its defaults, PyAV
converts with BT.601 whatever the tags say; here every conversion states both ends.
"""

from dataclasses import replace

import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, VideoReformatter

from chromacord.color.spaces import effective_matrix
from chromacord.io.pixels import EXACT, with_neutral_chroma
from chromacord.types import UNSPECIFIED, Colorimetry, PixelFormat, Size

_IDENTITY = 0
"""The matrix code of RGB. For primaries and transfer 0 is reserved, and 3 for all; both are read as untagged."""

_SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""Matrix code to swscale's own numbers (SWS_CS_*)."""


def read_tags(frame: av.VideoFrame, context: VideoCodecContext, pixel_format: PixelFormat) -> Colorimetry:
    """Return what a stream says of its colours: the picture's own tags, and where it has none the container's.

    Args:
        frame: the first decoded picture.
        context: of the stream; libav has put the container's tags there.
        pixel_format: of the frames; the matrix of RGB is 0, as H.273 wants it.
    """
    matrix = _first_known(frame.colorspace, context.colorspace)
    color_range = frame.color_range or context.color_range
    full_range = {int(ColorRange.MPEG): False, int(ColorRange.JPEG): True}.get(int(color_range))
    if (frame.format.name or "").startswith("yuvj"):
        full_range = True
    return Colorimetry(
        primaries=_first_known(frame.color_primaries, context.color_primaries),
        transfer=_first_known(frame.color_trc, context.color_trc),
        matrix=_IDENTITY if pixel_format.model == "rgb" else matrix,
        full_range=full_range,
    )


def _first_known(*codes: int) -> int:
    return next((int(code) for code in codes if int(code) not in (0, UNSPECIFIED, 3)), UNSPECIFIED)


def write_tags(target: av.VideoFrame | VideoCodecContext, colorimetry: Colorimetry) -> None:
    """Set the four tags on a frame, or on an encoder before it is opened."""
    target.color_primaries = colorimetry.primaries
    target.color_trc = colorimetry.transfer
    target.colorspace = colorimetry.matrix
    ranges = {None: ColorRange.UNSPECIFIED, False: ColorRange.MPEG, True: ColorRange.JPEG}
    target.color_range = int(ranges[colorimetry.full_range])


def output_tags(
    colorimetry: Colorimetry,
    source: PixelFormat,
    target: PixelFormat,
    *,
    matrix: int | None = None,
    full_range: bool | None = None,
) -> Colorimetry:
    """Return the tags of the output: the source's own, unless the format of the output makes others necessary.

    RGB that is written as Y'CbCr becomes BT.2020 where its primaries say so, else BT.709, and limited range. Untagged
    RGB is display-referred (sRGB) picture material, whose primaries are those of BT.709.

    Args:
        colorimetry: of the source.
        source: its pixel format.
        target: the pixel format that is written.
        matrix: the only matrix that the codec knows, if it knows one only.
        full_range: the only range that the codec knows.
    """
    tags = colorimetry
    if target.model == "rgb":
        tags = replace(tags, matrix=_IDENTITY, full_range=tags.full_range if source.model == "rgb" else True)
    elif source.model == "rgb":
        wide = tags.primaries == 9
        tags = replace(
            tags,
            primaries=1 if tags.primaries == UNSPECIFIED else tags.primaries,
            transfer=1 if tags.transfer == UNSPECIFIED else tags.transfer,
            matrix=9 if wide else 1,
            full_range=False,
        )
    elif source.model == "gray" and target.model == "yuv":
        tags = replace(tags, full_range=False)
    if matrix is not None and target.model == "yuv":
        tags = replace(tags, matrix=matrix)
    if full_range is not None and target.model == "yuv":
        tags = replace(tags, full_range=full_range)
    return tags


class Converter:
    """Converts frames between pixel formats, with the matrix and the range of both sides stated."""

    def __init__(
        self,
        source: tuple[Colorimetry, PixelFormat],
        target: tuple[Colorimetry, PixelFormat],
        *,
        name: str,
        size: Size,
    ) -> None:
        """Prepare a conversion.

        Args:
            source: tags and format of the frames that come.
            target: tags and format of the frames that are wanted.
            name: libav's name of the wanted format.
            size: of the frames; it decides what an untagged matrix is taken for.
        """
        self._name = name
        self._matrices = tuple(_swscale_matrix(tags, size) for tags, _ in (source, target))
        if source[1].model == target[1].model and source[0].matrix == target[0].matrix:
            self._matrices = (self._matrices[0], self._matrices[0])
        # swscale treats grey as full range whatever it is given.
        self._lacks_chroma = (source[1].model, target[1].model) == ("gray", "yuv")
        self._ranges = tuple(_swscale_range(tags, form) for tags, form in (source, target))
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the frame in the wanted format."""
        return self._reformatter.reformat(
            with_neutral_chroma(frame) if self._lacks_chroma else frame,
            format=self._name,
            interpolation=EXACT,
            src_colorspace=self._matrices[0],
            dst_colorspace=self._matrices[1],
            src_color_range=self._ranges[0],
            dst_color_range=self._ranges[1],
            threads=1,
        )


def _swscale_matrix(colorimetry: Colorimetry, size: Size) -> int:
    return _SWSCALE_MATRIX.get(effective_matrix(colorimetry, size), 1)


def _swscale_range(colorimetry: Colorimetry, pixel_format: PixelFormat) -> int:
    full = colorimetry.full_range if colorimetry.full_range is not None else pixel_format.model != "yuv"
    return int(ColorRange.JPEG if full else ColorRange.MPEG)
