"""Convert between a stream's colour tags and `Colorimetry`, and convert frames with explicit matrix and range.

libav's numbers for primaries, transfer and matrix are the code points of ITU-T H.273. By default, PyAV converts with
BT.601 whatever the tags say; conversions here always state both ends.
"""

from dataclasses import replace

import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, VideoReformatter

from chromacord.color.spaces import effective_matrix
from chromacord.io.pixels import EXACT, with_neutral_chroma
from chromacord.types import UNSPECIFIED, Colorimetry, PixelFormat, Size

_IDENTITY = 0
"""Matrix code of RGB. For primaries and transfer 0 is reserved, as is 3 for all; both are read as untagged."""

_SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""Matrix code to swscale's own numbers (SWS_CS_*)."""


def read_tags(frame: av.VideoFrame, context: VideoCodecContext, pixel_format: PixelFormat) -> Colorimetry:
    """Return a stream's colour tags: the picture's, or the container's if the picture has none.

    Args:
        frame: the first decoded picture.
        context: codec context of the stream, with the container's tags.
        pixel_format: format of the frames; H.273 requires matrix 0 for RGB.
    """
    matrix = _first_known(frame.colorspace, context.colorspace)
    color_range = frame.color_range or context.color_range
    full_range = {int(ColorRange.MPEG): False, int(ColorRange.JPEG): True}.get(int(color_range))
    # The deprecated yuvj formats mean full range by their name, and libav often leaves the range tag of such
    # pictures unset.
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
    """Return the tags of the output: the source's, unless the output's format requires others.

    RGB that is written as Y'CbCr becomes BT.2020 if its primaries say so, otherwise BT.709, and limited range. Untagged
    RGB is assumed to be display-referred (sRGB) with BT.709 primaries.

    Args:
        colorimetry: tags of the source.
        source: its pixel format.
        target: the pixel format to write.
        matrix: the only matrix that the codec supports, if there is just one.
        full_range: the only range that the codec supports, if there is just one.
    """
    tags = colorimetry
    if target.model == "rgb":
        # Y'CbCr that becomes RGB is expanded to full range, which players expect of RGB whatever its tag says.
        tags = replace(tags, matrix=_IDENTITY, full_range=tags.full_range if source.model == "rgb" else True)
    elif source.model == "rgb":
        # Encoders and players expect the matrix that belongs to the primaries; limited range is what all
        # players assume of Y'CbCr.
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
    """Converts frames between pixel formats, with explicit matrix and range on both sides."""

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
            source: tags and format of the input frames.
            target: tags and format of the output frames.
            name: libav's name of the output format.
            size: size of the frames, which decides an untagged matrix.
        """
        self._name = name
        self._matrices = tuple(_swscale_matrix(tags, size) for tags, _ in (source, target))
        # An untagged matrix is guessed from the picture's size, separately for each side. If neither side is tagged,
        # both must get the same guess, or the conversion would change colours.
        if source[1].model == target[1].model and source[0].matrix == target[0].matrix:
            self._matrices = (self._matrices[0], self._matrices[0])
        # swscale treats grey as full range, whatever range is set.
        self._lacks_chroma = (source[1].model, target[1].model) == ("gray", "yuv")
        self._ranges = tuple(_swscale_range(tags, form) for tags, form in (source, target))
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Convert a frame."""
        return self._reformatter.reformat(
            with_neutral_chroma(frame) if self._lacks_chroma else frame,
            format=self._name,
            interpolation=EXACT,
            src_colorspace=self._matrices[0],
            dst_colorspace=self._matrices[1],
            src_color_range=self._ranges[0],
            dst_color_range=self._ranges[1],
            # One thread: decoding, rendering and encoding run side by side already.
            threads=1,
        )


def _swscale_matrix(colorimetry: Colorimetry, size: Size) -> int:
    return _SWSCALE_MATRIX.get(effective_matrix(colorimetry, size), 1)


def _swscale_range(colorimetry: Colorimetry, pixel_format: PixelFormat) -> int:
    full = colorimetry.full_range if colorimetry.full_range is not None else pixel_format.model != "yuv"
    return int(ColorRange.JPEG if full else ColorRange.MPEG)
