"""Values shared by packages: frozen dataclasses without logic."""

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.generic]
"""One component of a picture, uint8, uint16 or float32. Shape (height, width)."""

FloatArray = npt.NDArray[np.float32]

Device = Literal["cpu", "cuda"]
"""Where networks run: on the CPU, or on a GPU, which needs torch."""

UNSPECIFIED = 2
"""The H.273 code for "unknown", for primaries, transfer and matrix alike."""


class Size(NamedTuple):
    """Height and width in pixels, always in this order."""

    height: int
    width: int


class Box(NamedTuple):
    """A rectangle of pixels, half-open: rows top..bottom-1, columns left..right-1."""

    top: int
    left: int
    bottom: int
    right: int


class Alpha(Enum):
    """Whether a picture has alpha, and whether its colours are premultiplied."""

    NONE = "none"
    STRAIGHT = "straight"
    PREMULTIPLIED = "premultiplied"


STDOUT = "-"
"""Path of standard output, to which one clip can be written."""

ALPHA_WORDS = (Alpha.STRAIGHT.value, Alpha.PREMULTIPLIED.value, "auto")
"""What a user may say of a layer's own alpha, in place of a matte's file."""


@dataclass(frozen=True)
class Colorimetry:
    """How codes represent colours: the four tags of a stream, as code points of ITU-T H.273.

    `primaries`, `transfer` and `matrix` keep the source's tags (2: untagged), so that the output can carry them.
    `chromacord.color.spaces.effective_matrix` alone decides what untagged sources are assumed to be.
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    full_range: bool | None = None
    """None: untagged."""

    scene_linear: bool = False
    """True for EXR and float TIFF: values are proportional to light and may be below 0 or above 1."""


@dataclass(frozen=True)
class ColorSpace:
    """A colour space of an OpenColorIO configuration."""

    name: str
    config: str
    """A file, or "ocio://..." for a configuration built into OpenColorIO."""

    encoding: str = ""
    """Encoding according to the configuration: "scene-linear", "log", "sdr-video", "hdr-video", ...; "":
    unspecified."""


Chromaticity = tuple[float, float]
"""x and y of CIE 1931."""


class MasteringDisplay(NamedTuple):
    """The display on which HDR video was mastered (SMPTE ST 2086)."""

    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity
    darkest: float
    """Black level in cd/m2."""

    brightest: float
    """White level in cd/m2."""


class ContentLight(NamedTuple):
    """The peak brightness of HDR video (CTA-861.3), in cd/m2."""

    highest: int
    """Maximum of any pixel (MaxCLL)."""

    highest_mean: int
    """Maximum of any frame's mean (MaxFALL)."""


@dataclass(frozen=True)
class HdrMetadata:
    """The static metadata of HDR video."""

    mastering: MasteringDisplay | None = None
    light: ContentLight | None = None

    def __bool__(self) -> bool:
        """Whether any metadata is present."""
        return self.mastering is not None or self.light is not None

    @property
    def described(self) -> tuple[str, ...]:
        """One readable line per part."""
        lines = []
        if self.mastering is not None:
            lines.append(f"mastering display {self.mastering.darkest:g} to {self.mastering.brightest:g} cd/m2")
        if self.light is not None:
            lines.append(f"content light level {self.light.highest}, {self.light.highest_mean} cd/m2")
        return tuple(lines)


@dataclass(frozen=True)
class PixelFormat:
    """The layout of a frame's planes. Planes are always separate and in the order Y U V [A], R G B [A] or Y [A]."""

    model: Literal["yuv", "rgb", "gray"]
    depth: int = 8
    """Significant bits of a sample: 8 to 16; for floats 16 (half in the file) or 32."""

    is_float: bool = False
    subsampling: tuple[int, int] = (0, 0)
    """log2 of the chroma step, (vertical, horizontal): 4:2:0 is (1, 1), 4:2:2 is (0, 1), 4:4:4 is (0, 0)."""

    alpha: Alpha = Alpha.NONE

    @property
    def num_colors(self) -> int:
        """Number of colour planes, alpha not counted."""
        return 1 if self.model == "gray" else 3

    @property
    def max_code(self) -> int:
        """Largest integer sample; 1 for floats."""
        return 1 if self.is_float else (1 << self.depth) - 1

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the planes in memory: uint8, uint16 or float32 (half floats are widened, which loses nothing)."""
        if self.is_float:
            return np.dtype(np.float32)
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)


@dataclass(frozen=True)
class Frame:
    """One decoded picture, in the planes of its file.

    `planes` may be read-only views of the decoder's memory; code that changes pixels must make new planes.
    """

    planes: tuple[Plane, ...]
    index: int
    """Position in presentation order, from 0."""

    pts: int | None = None
    """Presentation time in ticks of the source's `time_base`; None for image sequences."""

    duration: int | None = None
    """Duration in the same ticks, if the file states it."""

    attributes: object | None = None
    """Per-picture data of the file format (such as an EXR header), for a sink of the same kind; opaque."""

    picture: object | None = None
    """The codec library's picture that owns the planes' memory, for sinks that may reuse it; opaque."""


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a source, known before its frames are read."""

    path: Path
    size: Size
    """Stored size, before `rotation` and `mirrored` are applied."""

    pixel_format: PixelFormat
    colorimetry: Colorimetry
    rate: Fraction
    """Frames per second; the average for a variable rate."""

    time_base: Fraction
    """Seconds per tick of `Frame.pts`."""

    num_frames: int | None
    """Number of frames stated by the container or folder; None if unknown. The actual number is known after reading."""

    codec: str
    """ffmpeg's name of the codec ("h264"), or the image format ("openexr")."""

    container: str
    """ffmpeg's name of the demuxer ("mov,mp4,..."), "sequence", or "still" for a picture in any format."""

    rotation: int = 0
    """Degrees counter-clockwise by which players rotate the picture: 0, 90, 180 or 270."""

    mirrored: bool = False
    """Whether players mirror the picture horizontally after the rotation."""

    display_shift: tuple[int, int] = (0, 0)
    """Where a display matrix moves the picture after that, right and down, in 1/65536 of a pixel."""

    pixel_aspect: Fraction = Fraction(1)
    profile: str | None = None
    """The codec's profile, if it distinguishes families ("4444", "dnxhr_hqx")."""

    audio: tuple[str, ...] = field(default=())
    """One line per audio stream."""

    other_streams: tuple[str, ...] = field(default=())
    """One line per subtitle, data or attachment stream."""

    timecode: str | None = None
    hdr_metadata: HdrMetadata = HdrMetadata()
    """Metadata on the mastering display and the brightness of the picture."""

    icc_profile: bytes | None = field(default=None, repr=False)
    """Profile of a still or a sequence; None if its colours follow the format's default."""

    stated_spaces: tuple[str, ...] = field(default=())
    """Names of colour spaces stated besides the tags: by an attribute, by primaries or by the ICC profile."""

    space: ColorSpace | None = None
    """Colour space in which the picture is viewed and graded. None: it is treated as SDR video, or as light with the
    primaries of SDR video, and its codes are graded directly."""

    layer: str = ""
    """For EXR, the layer used as the picture; "" for the unnamed one."""

    other_layers: tuple[str, ...] = field(default=())
    """Other candidate layers, if the choice was a guess."""

    first_number: int = 0
    """Number in the name of a sequence's first file."""


class Progress(NamedTuple):
    """Progress of a long job. `str()` gives one readable line, so that `progress=print` works."""

    stage: str
    """"analyse", "render", "train" and the like."""

    done: int
    total: int | None
    """None while the total is unknown."""

    rate: float
    """Units per second of wall time so far."""

    unit: str = "frames"
    """The counted unit."""

    def __str__(self) -> str:
        of = "" if self.total is None else f"/{self.total}"
        return f"{self.stage} {self.done}{of} {self.unit}, {self.rate:.1f} a second"


@dataclass(frozen=True)
class Encoding:
    """How to encode a video or EXR files. None leaves the choice to the source and the container."""

    codec: str | None = None
    """A key of `chromacord.io.video.codecs.CODECS`."""

    crf: float | None = None
    """Constant quality, on the codec's own scale: lower is better. None: visually lossless."""

    preset: str | None = None
    """Speed of x264 and x265 ("ultrafast" to "veryslow") or SVT-AV1 ("0" to "13")."""

    exr_compression: str | None = None
    """Compression of EXR files: "zip", "piz", "dwaa:45", ...; None: the source's if that is lossless, otherwise zip."""
