"""The table of docs/formats.md, measured: each cell is what came back from files that this test wrote and read."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from chromacord.errors import ChromacordWarning
from chromacord.io import Encoding, FrameSource, open_sink, open_source
from chromacord.io.pixels import describe
from chromacord.io.stills.image_formats import IMAGE_FORMATS
from chromacord.io.video.codecs import CODECS
from chromacord.types import Alpha, Colorimetry, Frame, PixelFormat, Size, VideoInfo
from tests.clips import BT601, BT709, BT2020, DNXHR_SMALLEST, SMALL, make_clip, picture
from tests.pages import shown

HEADER = (
    "| format | files | bits | chroma | alpha | range | matrices | read | written |",
    "|---|---|---|---|---|---|---|---|---|",
)
TITLES = {
    "h264": "H.264",
    "hevc": "HEVC",
    "av1": "AV1",
    "vp9": "VP9",
    "prores": "ProRes 422",
    "prores4444": "ProRes 4444",
    "dnxhr": "DNxHR",
    "ffv1": "FFV1",
    "raw": "uncompressed",
    "mjpeg": "MJPEG",
    "png": "PNG",
    "tiff": "TIFF",
    "openexr": "EXR",
    "dpx": "DPX",
    "jpeg": "JPEG",
}
PROFILES = {
    ("dnxhr", "yuv422p"): "dnxhr_hq",
    ("dnxhr", "yuv422p10le"): "dnxhr_hqx",
    ("dnxhr", "yuv444p10le"): "dnxhr_444",
    ("prores", "yuv422p10le"): "hq",
    ("prores4444", "yuv444p10le"): "4444",
    ("prores4444", "yuva444p10le"): "4444",
}
PLANAR = {"bgr0": "gbrp", "bgra": "gbrap"}
CHROMA = {(1, 1): "4:2:0", (0, 1): "4:2:2", (0, 0): "4:4:4", (1, 0): "4:4:0", (0, 2): "4:1:1", (2, 2): "4:1:0"}
MATRICES = {"601": BT601, "709": BT709, "2020": BT2020}


@dataclass
class Measured:
    """What came back of one format, over all that was tried."""

    read: list[bool] = field(default_factory=list)
    written: list[bool] = field(default_factory=list)
    forms: list[PixelFormat] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    matrices: list[str] = field(default_factory=list)

    def row(self, title: str) -> str:
        alphas = {Alpha.STRAIGHT: "straight", Alpha.PREMULTIPLIED: "premultiplied", Alpha.NONE: None}
        cells = (
            title,
            _join(self.files),
            _join(_bits(form) for form in sorted(self.forms, key=lambda form: (form.is_float, form.depth))),
            _join(_chroma(form) for form in self.forms),
            _join(alphas[form.alpha] for form in self.forms) or "no",
            _join(self.ranges),
            _join(self.matrices) or "not stated",
            _all(self.read),
            _all(self.written),
        )
        return f"| {' | '.join(cells)} |"


def _all(results: list[bool]) -> str:
    return "yes" if results and all(results) else f"{sum(results)} of {len(results)}"


def _join(words: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))


def _bits(form: PixelFormat) -> str:
    return {16: "half", 32: "float"}[form.depth] if form.is_float else str(form.depth)


def _chroma(form: PixelFormat) -> str:
    return {"rgb": "RGB", "gray": "grey"}.get(form.model) or CHROMA[form.subsampling]


def _holds(source: FrameSource, form: PixelFormat, planes: list[np.ndarray], given: PixelFormat) -> bool:
    """Whether the frames have the format, and the first is the picture within what a lossy codec does to it."""
    if source.info.pixel_format != form:
        return False
    frame = next(iter(source.frames()))
    for plane, expected in zip(frame.planes, planes, strict=True):
        error = plane.astype(np.float64) / form.max_code - expected.astype(np.float64) / given.max_code
        if plane.shape != expected.shape or np.sqrt(np.mean(error**2)) > 0.03:
            return False
    return True


def _info(folder: Path, form: PixelFormat, colorimetry: Colorimetry, planes: list[np.ndarray]) -> VideoInfo:
    return VideoInfo(
        path=folder / "none.%04d.png",
        size=Size(*planes[0].shape),
        pixel_format=form,
        colorimetry=colorimetry,
        rate=Fraction(25),
        time_base=Fraction(1, 25),
        num_frames=None,
        codec="png",
        container="sequence",
    )


def _write(out: Path, like: VideoInfo, planes: list[np.ndarray], *, codec: str | None = None) -> FrameSource:
    with open_sink(out, like, encoding=Encoding(codec=codec), force=True) as sink:
        for index in range(2):
            sink.write(Frame(tuple(planes), index))
        sink.finish()
        sink.commit()
    return open_source(out)


def _measure_codec(name: str, folder: Path) -> Measured:
    codec, seen = CODECS[name], Measured()
    size = DNXHR_SMALLEST if name == "dnxhr" else SMALL
    own = replace(BT709, matrix=codec.matrix or BT709.matrix, full_range=bool(codec.full_range))
    out = folder / f"out{codec.containers[0]}"
    for pix_fmt in codec.pix_fmts:
        form, planes = describe(pix_fmt), picture(PLANAR.get(pix_fmt, pix_fmt), size=size)
        decoded = replace(form, depth=max(form.depth, codec.decoded_depth))
        written = _write(out, _info(folder, form, own, planes), planes, codec=name)
        seen.written.append(_holds(written, decoded, planes, form))
        if pix_fmt not in PLANAR:
            clip = _foreign_clip(name, pix_fmt, folder=folder, size=size, colorimetry=own)
            seen.read.append(_holds(clip, decoded, planes, form))
        seen.forms.append(form)
    form, planes = describe(codec.pix_fmts[0]), picture(codec.pix_fmts[0], size=size)
    decoded = replace(form, depth=max(form.depth, codec.decoded_depth))
    for suffix in codec.containers:
        copy = _write(folder / f"out{suffix}", _info(folder, form, own, planes), planes, codec=name)
        seen.files += [suffix] * _holds(copy, decoded, planes, form)
    for full_range in (False, True):
        for title, tags in MATRICES.items():
            like = _info(folder, form, replace(tags, full_range=full_range), planes)
            kept = _write(out, like, planes, codec=name).info.colorimetry
            if kept.full_range is full_range:
                seen.ranges.append("full" if full_range else "limited")
            if _is_same_matrix(kept.matrix, tags.matrix) and kept.primaries == tags.primaries:
                seen.matrices.append(title)
    return seen


def _is_same_matrix(one: int, other: int) -> bool:
    """Codes 5 and 6 are BT.601 of 625 and 525 lines, with the same numbers (ITU-T H.273, table 4)."""
    return {5: 6}.get(one, one) == {5: 6}.get(other, other)


def _foreign_clip(name: str, pix_fmt: str, *, folder: Path, size: Size, colorimetry: Colorimetry) -> FrameSource:
    """A clip that chromacord did not write."""
    options = {"profile": PROFILES[name, pix_fmt]} if (name, pix_fmt) in PROFILES else {}
    options |= {"auto-alt-ref": "0"} if name == "vp9" else {}
    codec = CODECS[name]
    path = folder / f"in{codec.containers[0]}"
    make_clip(
        path,
        codec=codec.encoder,
        pix_fmt=pix_fmt,
        size=size,
        num_frames=1,
        options=options,
        colorimetry=colorimetry,
    )
    return open_source(path)


def _measure_images(name: str, folder: Path) -> Measured:
    kind, seen = IMAGE_FORMATS[name], Measured(ranges=["full"], matrices=["RGB"])
    forms = [PixelFormat("rgb", depth) for depth in kind.depths]
    forms += [PixelFormat("rgb", depth, is_float=True) for depth in kind.floats]
    forms += [replace(form, alpha=alpha) for form in forms for alpha in kind.alphas]
    for form in forms:
        planes, tags = _rgb(form), Colorimetry(scene_linear=form.is_float)
        for suffix in kind.suffixes:
            out = folder / name / f"{_bits(form)}_{form.alpha.value}_{suffix[1:]}.%04d{suffix}"
            out.parent.mkdir(exist_ok=True)
            copy = _write(out, _info(folder, form, tags, planes), planes)
            seen.read.append(_holds(copy, form, planes, form))
            seen.files.append(suffix)
        seen.forms.append(form)
    seen.written = seen.read
    return seen


def _rgb(form: PixelFormat) -> list[np.ndarray]:
    planes = picture("gbrap" if form.alpha is not Alpha.NONE else "gbrp")
    if form.is_float:
        return [plane.astype(np.float32) / np.float32(255) for plane in planes]
    return [np.round(plane / 255 * form.max_code).astype(form.dtype) for plane in planes]


def _table(folder: Path) -> str:
    rows = [_measure_codec(name, folder).row(TITLES[name]) for name in CODECS]
    rows += [_measure_images(name, folder).row(TITLES[name]) for name in IMAGE_FORMATS]
    return "\n".join([*HEADER, *rows])


def test_the_page_states_what_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVT_LOG", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChromacordWarning)
        measured = _table(tmp_path)
    with capsys.disabled():
        print(f"\n{measured}")
    assert shown("formats") == measured, "put the table that is printed above between the markers in docs/formats.md"
