"""Clips in colour spaces of their own, from file to file."""

from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest

from chromacord import harmonize_video
from chromacord.color.management.clip_space import space_of_clip
from chromacord.color.management.config import REC709, find_space
from chromacord.color.management.managed import ManagedSpace
from chromacord.errors import InputError
from chromacord.io import open_source
from chromacord.types import Colorimetry
from tests import images
from tests.clips import make_clip
from tests.color.spaces import in_spaces
from tests.footage import SIZE, disc, make_composite, make_mask

NUM_FRAMES = 3
PQ = Colorimetry(9, 16, 9, full_range=False)
SPACES = tuple(in_spaces(np.full((1, 3), 0.5)))
AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)


def scene(index: int) -> np.ndarray:
    """An outdoor palette of SDR video, with a foreground that is darker and bluer. Shape (H, W, 3)."""
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width] / np.array(SIZE)[:, None, None]
    picture = np.stack([0.25 + 0.4 * columns, 0.3 + 0.3 * rows, 0.65 - 0.4 * columns * rows], axis=-1)
    picture += 0.03 * np.random.default_rng(index).normal(size=picture.shape)
    weights = disc(index)[..., None] / 255
    return np.clip(picture * (1 + weights * (np.array([0.7, 0.8, 1.05]) - 1)), 0.1, 0.9)


def written(folder: Path, space: str) -> Path:
    """Write the scene as light in half an EXR, or in 16-bit codes of a space."""
    folder.mkdir()
    for index in range(NUM_FRAMES):
        numbers = in_spaces(scene(index))[space].astype(np.float32)
        if space == "ACEScg":
            images.write(folder / f"in.{index:04}.exr", numbers)
        else:
            images.write(folder / f"in.{index:04}.tif", np.rint(numbers * 65535).clip(0, 65535).astype(np.uint16))
    return folder / f"in.%04d.{'exr' if space == 'ACEScg' else 'tif'}"


def harmonized(path: Path, mask: Path, space: str | None, **options) -> Path:
    output = path.with_name(path.name.replace("in", "out"))
    options |= {"method": "mkl", "strength": 0.5, "consistency": "shot"}
    harmonize_video(path, output=output, mask=mask, input_space=space, **options)
    return output


def display(pattern: Path, space: str) -> np.ndarray:
    """Read a sequence as SDR video. Shape (T, H, W, 3)."""
    managed = ManagedSpace.of(find_space(space))
    frames = []
    for frame in open_source(pattern).frames():
        numbers = np.stack([*frame.planes, frame.planes[0]], axis=-1)
        scale = 1 if numbers.dtype == np.float32 else 65535
        frames.append(managed.display((numbers / scale).astype(np.float32)))
    return np.stack(frames)


def test_one_scene_in_five_spaces_gives_one_result(tmp_path: Path) -> None:
    mask = make_mask(tmp_path / "mask.mkv", num_frames=NUM_FRAMES)
    results = {}
    for number, space in enumerate(SPACES):
        path = written(tmp_path / str(number), space)
        results[space] = display(harmonized(path, mask, space), space)
    source = np.stack([scene(index) for index in range(NUM_FRAMES)])
    assert np.abs(results[REC709] - source).max() > 20 / 1023, "there was something to do"
    assert results[REC709].max() < 1, "SDR video can hold the result"
    for space, result in results.items():
        assert np.abs(result - results[REC709]).max() * 1023 < 1, space


def test_light_outside_0_to_1_survives(tmp_path: Path) -> None:
    light = in_spaces(scene(0))["ACEScg"].astype(np.float32)
    light[SIZE.height // 2, 30:36] = [[6, 5, 4], [60, 50, 40], [-0.02, 0.3, 0.2], [0, 0, 0], [1, 1, 1], [0.2, -0.01, 4]]
    images.write(tmp_path / "in.exr", light)
    mask = make_mask(tmp_path / "mask.mkv", num_frames=1)
    output = harmonized(tmp_path / "in.exr", mask, "ACEScg")
    (frame,) = open_source(output).frames()
    result = np.stack(frame.planes, axis=-1)[SIZE.height // 2, 30:36]
    assert result[0].max() > 2
    np.testing.assert_allclose(result[1], 10 * result[0], rtol=1e-4, err_msg="highlights keep their proportions")
    assert result[2, 0] < 0.05


def test_pq_video_is_known_by_its_tags_and_keeps_them(tmp_path: Path) -> None:
    composite = make_composite(tmp_path / "in.mkv", "yuv420p10le", codec="ffv1", num_frames=NUM_FRAMES, colorimetry=PQ)
    mask = make_mask(tmp_path / "mask.mkv", num_frames=NUM_FRAMES)
    by_tags = harmonize_video(composite, output=tmp_path / "tags.mkv", mask=mask, method="mkl")
    harmonize_video(composite, output=tmp_path / "told.mkv", mask=mask, method="mkl", input_space="PQ")
    harmonize_video(composite, output=tmp_path / "plain.mkv", mask=mask, method="mkl", input_space="Rec.709")
    assert by_tags.color_space is not None
    assert by_tags.color_space.name == "Rec.2100-PQ - Display"
    assert by_tags.color_space.known_by == "file"
    tagged, told, plain = (
        [np.concatenate([plane.ravel() for plane in frame.planes]) for frame in open_source(tmp_path / name).frames()]
        for name in ("tags.mkv", "told.mkv", "plain.mkv")
    )
    np.testing.assert_array_equal(tagged, told)
    assert (np.stack(tagged) != np.stack(plain)).any()
    assert open_source(tmp_path / "tags.mkv").info.colorimetry == PQ


@pytest.mark.parametrize(
    ("attributes", "name", "known_by"),
    [
        ({}, "Linear Rec.709 (sRGB)", "assumed"),
        ({"chromaticities": AP1}, "ACEScg", "file"),
        ({"colorInteropID": "lin_ap0_scene"}, "ACES2065-1", "file"),
        ({"colorspace": "ACEScg"}, "ACEScg", "file"),
        ({"colorspace": "our own"}, "Linear Rec.709 (sRGB)", "assumed"),
    ],
)
def test_an_exr_is_taken_for_what_its_header_says(tmp_path: Path, attributes, name, known_by) -> None:
    found = space_of_clip(exr(tmp_path / "in.exr", attributes))
    assert (found.name, found.known_by) == (name, known_by)
    assert bool(found.note) == (known_by == "assumed")


def exr(path: Path, attributes):
    import OpenImageIO as oiio

    spec = oiio.ImageSpec(8, 8, 3, "half")
    for attribute, value in attributes.items():
        kind = oiio.TypeDesc("float[8]") if isinstance(value, tuple) else oiio.TypeDesc("string")
        spec.attribute(attribute, kind, value)
    images.write_parts(path, [(spec, np.full((8, 8, 3), 0.5, np.float32))])
    return open_source(path).info


def test_a_header_that_contradicts_itself_is_refused_until_the_space_is_told(tmp_path: Path) -> None:
    info = exr(tmp_path / "in.exr", {"chromaticities": AP1, "colorInteropID": "lin_ap0_scene"})
    with pytest.raises(InputError, match=r"in\.exr: names several colour spaces.*ACES2065-1 and ACEScg.*--input-space"):
        space_of_clip(info)
    assert space_of_clip(info, "ACEScg").known_by == "option"


def test_tags_that_contradict_each_other_are_refused_with_the_file(tmp_path: Path) -> None:
    wrong = Colorimetry(1, 16, 1, full_range=False)
    path = make_clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuv420p10le", colorimetry=wrong)
    with pytest.raises(InputError, match=r"in\.mkv: the colour tags contradict"):
        space_of_clip(open_source(path).info)


def test_layers_of_different_spaces_meet_in_light(tmp_path: Path) -> None:
    """A foreground in LogC3 over a background in Rec.709 gives the same result as one in Rec.709."""
    background = written(tmp_path / "background", REC709)
    foregrounds = {space: written(tmp_path / str(number), space) for number, space in enumerate(SPACES)}
    matte = make_mask(tmp_path / "mask.mkv", num_frames=NUM_FRAMES)
    results = {}
    for space, foreground in foregrounds.items():
        output = foreground.with_name("out.%04d.tif")
        spaces = {"foreground_space": space, "background_space": REC709}
        layers = {"foreground": foreground, "background": background, "alpha": matte}
        harmonize_video(**layers, output=output, method="mkl", consistency="shot", **spaces)
        results[space] = display(output, REC709)
    for space, result in results.items():
        assert np.abs(result - results[REC709]).max() * 1023 < 1, space


@pytest.mark.parametrize(
    ("space", "working", "named"),
    [("LogC3", None, "ARRI LogC3 (EI800)"), ("ACEScg", None, "ACEScct"), ("LogC3", "ACEScct", "ACEScct")],
)
def test_an_export_lives_in_the_working_space_and_says_so(tmp_path: Path, space, working, named) -> None:
    full = find_space(space).name
    mask = make_mask(tmp_path / "mask.mkv", num_frames=NUM_FRAMES)
    path, lut = written(tmp_path / "in", full), tmp_path / "grade.clf"
    output = path.with_name(path.name.replace("in", "out"))
    harmonize_video(path, output=output, mask=mask, method="mkl", input_space=full, working_space=working, lut_out=lut)
    assert f"<InputDescriptor>{named}</InputDescriptor>" in lut.read_text()
    config = ocio.Config.CreateFromFile("ocio://studio-config-latest")
    numbers = in_spaces(scene(0))[full].astype(np.float32)
    graded = numbers.copy()
    for step in (
        config.getProcessor(full, named),
        ocio.Config.CreateRaw().getProcessor(ocio.FileTransform(str(lut))),
        config.getProcessor(named, full),
    ):
        step.getDefaultCPUProcessor().applyRGB(graded)
    rendered = display(output, full)[0]
    whole = disc(0) == 255
    managed = ManagedSpace.of(find_space(full))
    seen = managed.display(np.concatenate([graded, graded[..., :1]], axis=-1))
    assert np.abs(seen - rendered)[whole].mean() * 255 < 0.5
    assert np.abs(seen - rendered)[whole].max() * 255 < 8
