"""Values that cross packages: frozen dataclasses without logic."""

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.generic]
"""One component of a picture: (height, width), uint8, uint16 or float32."""

FloatArray = npt.NDArray[np.float32]

Device = Literal["cpu", "cuda"]
"""Where a run calculates: the processor, or a GPU, which needs torch."""

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
    """Whether a picture carries coverage, and whether its colours are already multiplied by it."""

    NONE = "none"
    STRAIGHT = "straight"
    PREMULTIPLIED = "premultiplied"


ALPHA_WORDS = (Alpha.STRAIGHT.value, Alpha.PREMULTIPLIED.value, "auto")
"""What a user may say of a layer's own alpha, in place of a matte's file."""


@dataclass(frozen=True)
class Colorimetry:
    """How numbers mean colours: the four tags of a stream, as code points of ITU-T H.273.

    `primaries`, `transfer` and `matrix` keep the source's tag (2: untagged), so that the output can carry the same.
    What an untagged source is taken for is decided in one place, `chromacord.color.spaces.effective_matrix`.
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    full_range: bool | None = None
    """None: untagged."""

    scene_linear: bool = False
    """True for EXR and float TIFF: values are proportional to light and may lie below 0 or above 1."""


@dataclass(frozen=True)
class ColorSpace:
    """A colour space of an OpenColorIO configuration."""

    name: str
    config: str
    """A file, or "ocio://..." for one that OpenColorIO brings along."""

    encoding: str = ""
    """What the configuration says of its numbers: "scene-linear", "log", "sdr-video", "hdr-video", ...; "": nothing."""


Chromaticity = tuple[float, float]
"""x and y of CIE 1931."""


class MasteringDisplay(NamedTuple):
    """The display that HDR video was mastered on (SMPTE ST 2086)."""

    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity
    darkest: float
    """cd/m2."""

    brightest: float
    """cd/m2."""


class ContentLight(NamedTuple):
    """How bright HDR video gets (CTA-861.3), in cd/m2."""

    highest: int
    """Of any pixel (MaxCLL)."""

    highest_mean: int
    """Of any frame's mean (MaxFALL)."""


@dataclass(frozen=True)
class HdrMetadata:
    """The static metadata of HDR video."""

    mastering: MasteringDisplay | None = None
    light: ContentLight | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.mastering is not None or self.light is not None

    @property
    def described(self) -> tuple[str, ...]:
        """One line for each part, for people."""
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

    `planes` may be read-only views of the decoder's memory: who changes pixels makes new planes.
    """

    planes: tuple[Plane, ...]
    index: int
    """Position in presentation order, from 0."""

    pts: int | None = None
    """Presentation time in ticks of the source's `time_base`; None for image sequences."""

    duration: int | None = None
    """In the same ticks, where the file states it."""

    attributes: object | None = None
    """What the file format keeps per picture (EXR header and the like), for a sink of the same kind; opaque."""

    picture: object | None = None
    """The codec library's own picture whose memory the planes are, where a sink may keep it; opaque."""


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a source before its frames are read."""

    path: Path
    size: Size
    """As stored, before `rotation` and `mirrored` are applied."""

    pixel_format: PixelFormat
    colorimetry: Colorimetry
    rate: Fraction
    """Frames a second; for a variable rate the average."""

    time_base: Fraction
    """Seconds per tick of `Frame.pts`."""

    num_frames: int | None
    """As the container or the folder states it; None when it does not. The truth is known after reading."""

    codec: str
    """ffmpeg's name of the codec ("h264"), or the image format ("openexr")."""

    container: str
    """ffmpeg's name of the demuxer ("mov,mp4,..."), "sequence", or "still" for a picture in any format."""

    rotation: int = 0
    """Degrees counter-clockwise that a player turns the picture: 0, 90, 180 or 270."""

    mirrored: bool = False
    """Whether a player exchanges left and right after the turn."""

    display_shift: tuple[int, int] = (0, 0)
    """Where a display matrix moves the picture after that, right and down, in 1/65536 of a pixel."""

    pixel_aspect: Fraction = Fraction(1)
    profile: str | None = None
    """The codec's profile where it tells families apart ("4444", "dnxhr_hqx")."""

    audio: tuple[str, ...] = field(default=())
    """One line for each audio stream."""

    other_streams: tuple[str, ...] = field(default=())
    """One line for each subtitle, data or attachment stream."""

    timecode: str | None = None
    hdr_metadata: HdrMetadata = HdrMetadata()
    """What the picture says of the display it was mastered on, and of its light."""

    icc_profile: bytes | None = field(default=None, repr=False)
    """Of a still or a sequence: what its colours mean, where that is not what they are taken for without one."""

    stated_spaces: tuple[str, ...] = field(default=())
    """Names of colour spaces that the file states besides the tags: by an attribute, by primaries or by its profile."""

    space: ColorSpace | None = None
    """The colour space that the picture is seen and graded in. None: it is taken for SDR video, or for light with the
    primaries of SDR video, and its numbers are graded as they are."""

    layer: str = ""
    """Of an EXR: which of several layers is the picture; "" for the one without a name."""

    other_layers: tuple[str, ...] = field(default=())
    """What else the picture might have been, where that is a guess."""

    first_number: int = 0
    """Number in the name of a sequence's first file."""


class Progress(NamedTuple):
    """Where a long job is. `str()` gives one readable line, so that `progress=print` works."""

    stage: str
    """"analyse", "render", "train" and the like."""

    done: int
    total: int | None
    """None where the number of frames is not known yet."""

    rate: float
    """Units a second so far, by the wall clock."""

    unit: str = "frames"
    """What is counted."""

    def __str__(self) -> str:
        of = "" if self.total is None else f"/{self.total}"
        return f"{self.stage} {self.done}{of} {self.unit}, {self.rate:.1f} a second"


@dataclass(frozen=True)
class Encoding:
    """How the user wants a video, or EXR files, written. None leaves the choice to the source and the container."""

    codec: str | None = None
    """A name of `chromacord.io.video.codecs.CODECS`."""

    crf: float | None = None
    """Constant quality, on the codec's own scale: lower is better. None: visually lossless."""

    preset: str | None = None
    """Speed of x264 and x265 ("ultrafast" to "veryslow") or SVT-AV1 ("0" to "13")."""

    exr_compression: str | None = None
    """Of EXR files: "zip", "piz", "dwaa:45", ...; None: as the source's where that is without loss, else zip."""
