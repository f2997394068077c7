"""The main job on real files."""

import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.filter import Graph

import chromacord as cc
from chromacord.api import harmonize_video
from chromacord.io import Encoding, open_source
from chromacord.types import Colorimetry
from tests.footage import SIZE, audio_packets, decoded, disc, make_composite, make_mask, recoloured, times
from tests.scenes import Shade

METHODS = [info for info in cc.list_methods() if info.has_weights]
FFV1 = ("yuv420p", "yuv422p10le", "yuv444p", "gbrp10le", "gbrp16le")


def covers(plane: np.ndarray, index: int) -> np.ndarray:
    """Return which samples of a plane have a pixel of the mask under them."""
    weights = disc(index)
    down, right = SIZE.height // plane.shape[0], SIZE.width // plane.shape[1]
    return weights.reshape(plane.shape[0], down, plane.shape[1], right).max(axis=(1, 3)) > 0


@pytest.mark.parametrize("method", [info.name for info in METHODS])
@pytest.mark.parametrize("pix_fmt", FFV1)
def test_every_method_keeps_the_background_to_the_bit(tmp_path: Path, method: str, pix_fmt: str) -> None:
    composite = make_composite(tmp_path / "comp.mkv", pix_fmt, codec="ffv1", num_frames=3)
    mask = make_mask(tmp_path / "mask.mkv", num_frames=3)
    harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", method=method)
    before, after = decoded(composite), decoded(tmp_path / "out.mkv")
    assert len(before) == len(after) == 3
    changed = 0
    for index, (source, result) in enumerate(zip(before, after, strict=True)):
        for old, new in zip(source, result, strict=True):
            covered = covers(old, index)
            np.testing.assert_array_equal(old[~covered], new[~covered])
            changed += int((old != new)[covered].sum())
    assert (changed == 0) == (method == "identity")


@pytest.mark.parametrize("method", [info.name for info in cc.list_methods() if not info.has_weights])
def test_a_method_without_weights_harmonizes_nothing(tmp_path: Path, method: str) -> None:
    composite = make_composite(tmp_path / "comp.mkv", "yuv420p", codec="ffv1", num_frames=3)
    mask = make_mask(tmp_path / "mask.mkv", num_frames=3)
    with pytest.raises(cc.ChromacordError, match=f"{method}:weights=PATH"):
        harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", method=method)
    assert not (tmp_path / "out.mkv").exists()


def test_the_same_holds_for_png_and_for_light(tmp_path: Path) -> None:
    from tests.images import noise, parts, write

    masks = tmp_path / "masks"
    masks.mkdir()
    for index in range(2):
        write(masks / f"m.{index}.png", np.pad(np.full((6, 8, 1), 255, np.uint8), ((2, 4), (3, 7), (0, 0))))
        write(tmp_path / f"a.{index}.png", noise(3, "uint16", seed=index))
        light = noise(3, "half", seed=index)
        light[4, 5] = (7.5, -0.25, 3)
        write(tmp_path / f"b.{index}.exr", light, "half")
    for name in ("a.%d.png", "b.%d.exr"):
        out = tmp_path / ("out_" + name)
        harmonize_video(tmp_path / name, mask=masks, output=out, method="mkl")
        for index in range(2):
            (_, before), (_, after) = (parts(Path(str(path) % index))[0] for path in (tmp_path / name, out))
            inside = np.pad(np.ones((6, 8), bool), ((2, 4), (3, 7)))
            np.testing.assert_array_equal(before[~inside], after[~inside])
            assert (before[inside] != after[inside]).mean() > 0.5


def test_the_encoder_is_handed_unchanged_planes_outside_the_mask(tmp_path: Path, monkeypatch) -> None:
    from chromacord.io.video.encoder import VideoSink

    handed = []
    write = VideoSink.write
    monkeypatch.setattr(VideoSink, "write", lambda sink, frame: (handed.append(frame), write(sink, frame)))
    composite = make_composite(tmp_path / "comp.mp4", num_frames=4)
    mask = make_mask(tmp_path / "mask.mkv", num_frames=4)
    harmonize_video(composite, mask=mask, output=tmp_path / "out.mp4", method="mkl")
    assert len(handed) == 4
    for index, (source, frame) in enumerate(zip(decoded(composite), handed, strict=True)):
        for old, new in zip(source, frame.planes, strict=True):
            covered = covers(old, index)
            np.testing.assert_array_equal(old[~covered], new[~covered])
            assert (old != new)[covered].any()


def test_strength_zero_returns_the_source(tmp_path: Path) -> None:
    composite = make_composite(tmp_path / "comp.mkv", codec="ffv1")
    harmonize_video(composite, mask=make_mask(tmp_path / "mask.mkv"), output=tmp_path / "out.mkv", strength=0)
    for before, after in zip(decoded(composite), decoded(tmp_path / "out.mkv"), strict=True):
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old, new)


def test_strength_lies_between_source_and_full_grade(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", "gbrp16le", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    for name, strength in (("full", 1.0), ("half", 0.5)):
        harmonize_video(composite, mask=mask, output=tmp_path / f"{name}.mkv", strength=strength, method="mkl")
    source, half, full = (np.array(decoded(tmp_path / name)[2], float) for name in ("comp.mkv", "half.mkv", "full.mkv"))
    unclipped = (full > 0) & (full < 65535)
    np.testing.assert_allclose(half[unclipped], ((source + full) / 2)[unclipped], atol=2)


TAGS = [
    Colorimetry(primaries, transfer, matrix, full_range)
    for primaries, transfer, matrix in ((1, 1, 1), (6, 6, 6), (9, 14, 9))
    for full_range in (False, True)
]


@pytest.mark.parametrize("tags", TAGS, ids=lambda tags: f"{tags.matrix}-{'full' if tags.full_range else 'limited'}")
def test_colours_and_tags_come_back(tmp_path: Path, tags: Colorimetry) -> None:
    composite = make_composite(tmp_path / "comp.mp4", colorimetry=tags, options={"crf": "4"})
    mask = make_mask(tmp_path / "mask.mkv")
    harmonize_video(composite, mask=mask, output=tmp_path / "out.mp4", strength=0, encoding=Encoding(crf=12))
    assert open_source(tmp_path / "out.mp4").info.colorimetry == tags
    before, after = (np.array([planes[0] for planes in decoded(tmp_path / n)], float) for n in ("comp.mp4", "out.mp4"))
    assert 10 * np.log10(255**2 / np.square(before - after).mean()) > 45


def test_sound_times_and_frames_are_kept_at_a_variable_rate(tmp_path: Path) -> None:
    pts = [0, 3, 4, 9, 10, 16, 17, 30]
    composite = make_composite(
        tmp_path / "comp.mp4",
        num_frames=8,
        pts=pts,
        time_base=Fraction(1, 30),
        rate=30,
        audio="aac",
        frames=[recoloured("yuv420p", index) for index in range(8)],
    )
    harmonize_video(composite, mask=make_mask(tmp_path / "mask.mkv"), output=tmp_path / "out.mp4")
    assert times(tmp_path / "out.mp4") == times(composite) == [Fraction(tick, 30) for tick in pts]
    packets = audio_packets(composite)
    assert len(packets) > 10
    assert audio_packets(tmp_path / "out.mp4") == packets


def test_a_written_grade_renders_again_to_the_same_bits(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1", num_frames=20), tmp_path / "mask.mkv"
    make_mask(mask, num_frames=20)
    made = harmonize_video(composite, mask=mask, output=tmp_path / "a.mkv", grade_out=tmp_path / "grade.json")
    again = harmonize_video(composite, mask=mask, output=tmp_path / "b.mkv", grade_in=tmp_path / "grade.json")
    assert (made.num_analysed, again.num_analysed) == (5, 0)
    for first, second in zip(decoded(tmp_path / "a.mkv"), decoded(tmp_path / "b.mkv"), strict=True):
        for one, other in zip(first, second, strict=True):
            assert np.abs(one.astype(int) - other).max() <= 1  # six decimals in the file
            assert (one != other).mean() < 1e-3


def test_an_edited_grade_is_rendered_as_edited(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    grade = tmp_path / "grade.json"
    harmonize_video(composite, mask=mask, output=tmp_path / "a.mkv", grade_out=grade, strength=0.5)
    data = json.loads(grade.read_text())
    assert data["shots"][0]["strength"] == 0.5
    data["shots"][0]["strength"] = 0
    grade.write_text(json.dumps(data, indent=1))
    harmonize_video(composite, mask=mask, output=tmp_path / "b.mkv", grade_in=grade)
    for before, after in zip(decoded(composite), decoded(tmp_path / "b.mkv"), strict=True):
        np.testing.assert_array_equal(before[0], after[0])


@pytest.mark.parametrize("edit", [{"start": 5}, {"keys": []}], ids=str)
def test_frames_that_an_edited_grade_leaves_out_are_told(tmp_path: Path, edit: dict[str, object]) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    grade = tmp_path / "grade.json"
    harmonize_video(composite, mask=mask, output=tmp_path / "a.mkv", grade_out=grade)
    data = json.loads(grade.read_text())
    data["shots"][0].update(edit)
    grade.write_text(json.dumps(data))
    with pytest.warns(cc.ChromacordWarning, match=f"{5 if 'start' in edit else 8} frames"):
        harmonize_video(composite, mask=mask, output=tmp_path / "b.mkv", grade_in=grade)
    np.testing.assert_array_equal(decoded(composite)[4][0], decoded(tmp_path / "b.mkv")[4][0])


@pytest.mark.parametrize("method", ["mkl", "reinhard", "histogram", "poisson"])
def test_the_exported_lut_gives_in_ffmpeg_what_the_render_gives(tmp_path: Path, method: str) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", "gbrp10le", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    luts, out = tmp_path / "luts", tmp_path / "out.mkv"
    summary = harmonize_video(composite, mask=mask, output=out, lut_out=luts, method=method, strength=0.9)
    (cube,) = luts.glob("*.cube")
    assert cube in summary.outputs
    text = cube.read_text()
    assert "LUT_3D_SIZE 33" in text
    assert "DOMAIN_MIN 0" in text
    assert "TITLE" in text
    assert sum(line[:1] in "-0123456789" for line in text.splitlines()) == 33**3
    for index, (graded, rendered) in enumerate(zip(through_lut3d(composite, cube), decoded(out), strict=True)):
        inside = disc(index) == 255
        for expected, got in zip(graded, rendered, strict=True):
            assert np.abs(expected.astype(int) - got)[inside].max() <= 1023 / 255


def through_lut3d(path: Path, cube: Path) -> list[list[np.ndarray]]:
    """Run a clip through ffmpeg's lut3d filter."""
    from tests.footage import planes_of

    with av.open(str(path)) as container:
        graph = Graph()
        nodes = [
            graph.add_buffer(template=container.streams.video[0]),
            graph.add("lut3d", f"file={cube}:interp=tetrahedral"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        graded = []
        for frame in container.decode(video=0):
            graph.push(frame)
            graded.append(planes_of(graph.pull()))
    return graded


def test_lut_export_asks_local_methods_for_a_global_grade(tmp_path: Path) -> None:
    """A method whose change depends on the place gets a field, and a LUT when one is to be written."""
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    local, exportable = tmp_path / "local.json", tmp_path / "global.json"
    harmonize_video(composite, mask=mask, output=tmp_path / "a.mkv", method=Shade(), grade_out=local)
    harmonize_video(
        composite, mask=mask, output=tmp_path / "b.mkv", method=Shade(), grade_out=exportable, lut_out=tmp_path / "l"
    )
    made = [json.loads(path.read_text())["shots"][0]["keys"][0]["residual"] for path in (local, exportable)]
    assert (made[0]["kind"], made[0]["grid"], made[1]["kind"]) == ("affine", [16, 16], "lut3d")
    rows = np.array(made[0]["matrices"]).reshape(16, 16, 3, 4)[6:10]
    grey = 0.5 * rows[..., :3].sum(axis=-1) + rows[..., 3]  # what the field makes of 0.5 grey
    assert grey[:, 4].mean() > grey[:, 7].mean() + 0.02


def test_a_preview_shows_before_and_after(tmp_path: Path) -> None:
    composite, mask = make_composite(tmp_path / "comp.mkv", "gbrp10le", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    for name in ("beside.png", "beside.mp4"):
        harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", preview=tmp_path / name, force=True)
        info = open_source(tmp_path / name).info
        assert info.size == (SIZE.height, 2 * SIZE.width)
    assert len(decoded(tmp_path / "beside.mp4")) == 8
    (shown,) = open_source(tmp_path / "beside.png").frames()
    halves = [np.stack([plane[:, part] for plane in shown.planes]) for part in (slice(0, 96), slice(96, None))]
    sources, results = (
        [np.stack(planes)[[2, 0, 1]] * (255 / 1023) for planes in decoded(path)]  # stored as G, B, R
        for path in (composite, tmp_path / "out.mkv")
    )
    index = min(range(8), key=lambda number: np.abs(sources[number] - halves[0]).max())
    assert np.abs(sources[index] - halves[0]).max() <= 0.51
    assert np.abs(results[index] - halves[1]).max() <= 0.51


def test_a_range_holds_only_its_frames(tmp_path: Path) -> None:
    composite = make_composite(tmp_path / "comp.mkv", codec="ffv1", num_frames=12)
    mask = make_mask(tmp_path / "mask.mkv", num_frames=12)
    summary = harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", frames=(3, 8), strength=0)
    assert summary.num_frames == 5
    for before, after in zip(decoded(composite)[3:8], decoded(tmp_path / "out.mkv"), strict=True):
        np.testing.assert_array_equal(before[0], after[0])
    assert times(tmp_path / "out.mkv")[0] == 0


def test_alpha_of_the_clip_itself_can_be_the_mask_and_is_kept(tmp_path: Path) -> None:
    frames = [[*recoloured("gbrp10le", index)[:3], disc(index, top=1023)] for index in range(4)]
    composite = make_composite(tmp_path / "comp.mkv", "gbrap10le", codec="ffv1", frames=frames)
    harmonize_video(composite, mask="alpha", output=tmp_path / "out.mkv", method="mkl")
    for index, (before, after) in enumerate(zip(decoded(composite), decoded(tmp_path / "out.mkv"), strict=True)):
        np.testing.assert_array_equal(before[3], after[3])
        for old, new in zip(before[:3], after[:3], strict=True):
            np.testing.assert_array_equal(old[disc(index) == 0], new[disc(index) == 0])
            assert (old != new).any()


def test_layers_are_composited_and_the_foreground_alone_is_graded(tmp_path: Path) -> None:
    background = make_composite(
        tmp_path / "bg.mkv",
        codec="ffv1",
        frames=[
            [
                np.full((72, 96), 90 + 2 * index, np.uint8),
                np.full((36, 48), 120, np.uint8),
                np.full((36, 48), 130, np.uint8),
            ]
            for index in range(5)
        ],
    )
    foreground = make_composite(
        tmp_path / "fg.mkv",
        "gbrap10le",
        codec="ffv1",
        frames=[[*recoloured("gbrp10le", index)[:3], disc(index, top=1023)] for index in range(5)],
    )
    plain, harmonized = tmp_path / "plain.mkv", tmp_path / "out.mkv"
    harmonize_video(foreground=foreground, background=background, output=plain, strength=0)
    harmonize_video(foreground=foreground, background=background, output=harmonized, method="mkl")
    for index, (under, over, graded) in enumerate(
        zip(decoded(background), decoded(plain), decoded(harmonized), strict=True)
    ):
        covered = covers(under[0], index)
        for result in (over, graded):
            np.testing.assert_array_equal(under[0][~covered], result[0][~covered])
        assert (over[0] != graded[0])[covered].any()


def test_frames_without_foreground_pass_through_and_are_counted(tmp_path: Path) -> None:
    composite = make_composite(tmp_path / "comp.mkv", codec="ffv1")
    masks = [[disc(index)] for index in range(8)]
    masks[0], masks[5] = [np.zeros(SIZE, np.uint8)], [np.full(SIZE, 255, np.uint8)]
    summary = harmonize_video(
        composite, mask=make_mask(tmp_path / "mask.mkv", frames=masks), output=tmp_path / "out.mkv"
    )
    assert (summary.num_frames, summary.num_empty, summary.num_full) == (8, 1, 1)
    before, after = decoded(composite), decoded(tmp_path / "out.mkv")
    for index in (0, 5):
        np.testing.assert_array_equal(before[index][0], after[index][0])
    assert (before[6][0] != after[6][0]).any()


def test_a_still_mask_serves_a_whole_clip(tmp_path: Path) -> None:
    from tests.images import write

    write(tmp_path / "mask.png", disc(0)[..., None])
    composite = make_composite(tmp_path / "comp.mkv", codec="ffv1")
    harmonize_video(composite, mask=tmp_path / "mask.png", output=tmp_path / "out.mkv", method="reinhard")
    for before, after in zip(decoded(composite), decoded(tmp_path / "out.mkv"), strict=True):
        np.testing.assert_array_equal(before[0][disc(0) == 0], after[0][disc(0) == 0])
        assert (before[0] != after[0]).any()
    assert cv2.imwrite(str(tmp_path / "mask.bmp"), disc(0))
    harmonize_video(composite, mask=tmp_path / "mask.bmp", output=tmp_path / "bmp.mkv", method="reinhard")
    for one, other in zip(decoded(tmp_path / "out.mkv"), decoded(tmp_path / "bmp.mkv"), strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_a_single_still_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    from tests.images import write

    write(tmp_path / "mask.png", disc(0)[..., None])
    rgb = np.stack(recoloured("gbrp", 0), axis=-1)
    write(tmp_path / "comp.png", rgb)
    summary = harmonize_video(tmp_path / "comp.png", mask=tmp_path / "mask.png", output=tmp_path / "out.png")
    assert summary.num_frames == 1
    (after,) = open_source(tmp_path / "out.png").frames()
    assert (np.stack(after.planes, -1)[disc(0) == 0] == rgb[disc(0) == 0]).all()
    assert (np.stack(after.planes, -1) != rgb).any()


def test_cuts_separate_grades(tmp_path: Path) -> None:
    frames = [recoloured("yuv420p", index % 10) for index in range(20)]
    for planes in frames[10:]:
        planes[0] = (255 - planes[0]).clip(20, 230)
        planes[1], planes[2] = planes[2], planes[1]
    composite = make_composite(tmp_path / "comp.mkv", codec="ffv1", frames=frames)
    mask = make_mask(tmp_path / "mask.mkv", frames=[[disc(index % 10)] for index in range(20)])
    grade = tmp_path / "grade.json"
    summary = harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", consistency="shot", grade_out=grade)
    assert summary.num_shots == 2
    shots = json.loads(grade.read_text())["shots"]
    assert [(shot["start"], shot["stop"], len(shot["keys"])) for shot in shots] == [(0, 10, 1), (10, 20, 1)]
    assert shots[0]["keys"][0]["residual"] != shots[1]["keys"][0]["residual"]


def test_progress_is_told_as_readable_lines(tmp_path: Path) -> None:
    told = []
    composite, mask = make_composite(tmp_path / "comp.mkv", codec="ffv1"), make_mask(tmp_path / "mask.mkv")
    harmonize_video(composite, mask=mask, output=tmp_path / "out.mkv", progress=told.append)
    assert {progress.stage for progress in told} == {"render"}
    assert (told[0].done, told[1].done, told[-1].done) == (0, 1, 8)
    assert str(told[-1]).startswith("render 8/8 frames")


def test_frames_of_a_mask_that_is_numbered_otherwise_are_paired_by_order_and_that_is_said(tmp_path: Path) -> None:
    for kind, first in (("comp", 1), ("mask", 1001)):
        (tmp_path / kind).mkdir()
        for number in range(2):
            picture = np.zeros((8, 8, 3), np.uint8)
            picture[2:5, 2 + number : 5 + number] = 255 if kind == "mask" else 90
            cv2.imwrite(str(tmp_path / kind / f"{kind}.{first + number}.png"), picture)
    told = r"mask.%04d.png: begins with frame 1001 and .*comp.%d.png with frame 1; their frames are paired by order"
    with pytest.warns(cc.ChromacordWarning, match=told):
        harmonize_video(tmp_path / "comp", mask=tmp_path / "mask", output=tmp_path / "out.mkv", method="identity")


@pytest.mark.parametrize("name", ["composite", "mask", "output", "grade_out", "lut_out", "preview", "grade_in"])
def test_an_empty_path_is_not_the_working_folder(tmp_path: Path, name: str) -> None:
    paths = {"composite": "c.mp4", "mask": "m.mkv", "output": str(tmp_path / "o.mp4"), name: ""}
    with pytest.raises(cc.ChromacordError, match=f"^{name} is empty; name a file$"):
        harmonize_video(**paths)  # type: ignore[arg-type]
