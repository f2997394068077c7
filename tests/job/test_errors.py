"""Bad input gives one line with what, where and what to do, and a typed exception; nothing is written."""

import contextlib
import gc
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from chromacord import errors
from chromacord.api import harmonize_video
from chromacord.grade.keys import Consistency
from chromacord.io import Encoding
from chromacord.types import Size
from tests.clips import make_audio
from tests.footage import SIZE, decoded, disc, make_composite, make_mask
from tests.images import noise, write


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a composite, its mask and things that do not fit."""
    folder = tmp_path_factory.mktemp("footage")
    make_composite(folder / "comp.mp4", num_frames=12)
    make_mask(folder / "mask.mkv", num_frames=12)
    make_mask(folder / "short.mkv", num_frames=11)
    make_mask(folder / "long.mkv", num_frames=13)
    make_mask(folder / "small.mkv", num_frames=12, size=Size(36, 48))
    make_mask(folder / "empty.mkv", frames=[[np.zeros(SIZE, np.uint8)]] * 12)
    make_mask(folder / "full.mkv", frames=[[np.full(SIZE, 255, np.uint8)]] * 12)
    make_audio(folder / "sound.m4a")
    (folder / "nothing.mp4").touch()
    (folder / "images").mkdir()
    cut = (folder / "comp.mp4").read_bytes()
    make_composite(folder / "whole.mkv", codec="ffv1", num_frames=12)
    cut = (folder / "whole.mkv").read_bytes()
    (folder / "cut.mkv").write_bytes(cut[: len(cut) * 2 // 3])
    (folder / "other.json").write_text("{}")
    for kind in ("gap", "nan"):
        (folder / kind).mkdir()
        for index in range(12):
            if (kind, index) != ("gap", 7):
                pixels = noise(3, "half", seed=index)
                pixels[3, 4, 1] = np.nan if (kind, index) == ("nan", 5) else 0.5
                write(folder / kind / f"shot.{index:04d}.exr", pixels, "half")
    write(folder / "tiny.png", np.pad(np.full((6, 8, 1), 255, np.uint8), ((2, 4), (3, 7), (0, 0))))
    return folder


CASES = [
    ({"mask": "short.mkv"}, errors.MismatchError, ["short.mkv", "11 frames", "12 frames", "frame 11 of the composite"]),
    ({"mask": "long.mkv"}, errors.MismatchError, ["long.mkv", "13 frames", "12 frames", "frame 12 of the mask"]),
    ({"mask": "small.mkv"}, errors.MismatchError, ["48x36", "96x72", "--mask-fit"]),
    ({"composite": "none.mp4"}, errors.MissingFileError, ["none.mp4"]),
    ({"composite": "none.%04d.png"}, errors.MissingFileError, ["none"]),
    ({"composite": "images"}, errors.MissingFileError, ["images"]),
    ({"composite": "gap", "mask": "tiny.png"}, errors.SequenceGapError, ["shot.0007.exr", "hold"]),
    ({"composite": "nan", "mask": "tiny.png", "output": "out.%d.exr"}, errors.NonFiniteError, ["shot.0005.exr", "NaN"]),
    ({"composite": "cut.mkv"}, errors.TruncatedFileError, ["cut.mkv", "frame", "salvage"]),
    ({"composite": "nothing.mp4"}, errors.UnreadableFileError, ["nothing.mp4"]),
    ({"composite": "sound.m4a"}, errors.UnreadableFileError, ["sound.m4a", "audio"]),
    ({"encoding": Encoding("divx")}, errors.CodecError, ["divx", "h264"]),
    ({"output": "out.xyz"}, errors.CodecError, ["xyz"]),
    ({"mask": "empty.mkv"}, errors.NothingToDoError, ["empty.mkv", "empty in all 12 frames"]),
    ({"mask": "full.mkv"}, errors.NothingToDoError, ["full.mkv", "full in all 12 frames"]),
    ({"mask": "alpha"}, errors.InputError, ["comp.mp4", "no alpha"]),
    ({"mask": None}, errors.InputError, ["comp.mp4", "--mask"]),
    ({"output": "comp.mp4", "force": True}, errors.OutputExistsError, ["comp.mp4", "input"]),
    ({"output": "mask.mkv", "force": True}, errors.OutputExistsError, ["mask.mkv", "input"]),
    ({"preview": "comp.mp4", "force": True}, errors.OutputExistsError, ["comp.mp4", "input"]),
    ({"preview": "out.mp4"}, errors.OutputExistsError, ["out.mp4", "twice"]),
    ({"output": "whole.mkv"}, errors.OutputExistsError, ["whole.mkv", "--force"]),
    ({"grade_out": "other.json"}, errors.OutputExistsError, ["other.json", "--force"]),
    ({"output": "absent/out.mp4"}, errors.OutputError, ["absent"]),
    ({"grade_in": "other.json"}, errors.GradeFileError, ["other.json", "--grade-out"]),
    ({"grade_in": "none.json"}, errors.MissingFileError, ["none.json"]),
    ({"strength": 1.5}, errors.InputError, ["1.5", "0..1"]),
    ({"consistency": "calm"}, errors.InputError, ["calm", "shot, smooth, frame"]),
    ({"missing": "skip"}, errors.InputError, ["skip", "hold"]),
    ({"frames": (5, 2)}, errors.InputError, ["5:2"]),
    ({"frames": (50, 60)}, errors.InputError, ["50:60", "12"]),
    ({"method": "magic"}, errors.InputError, ["magic", "mkl"]),
    ({"foreground": "comp.mp4"}, errors.InputError, ["--background"]),
]


@pytest.mark.parametrize(
    ("change", "kind", "said"), CASES, ids=lambda value: str(value) if isinstance(value, dict) else ""
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    footage: Path, change: dict[str, object], kind: type[Exception], said: list[str]
) -> None:
    before = sorted(footage.rglob("*"))
    options: dict[str, object] = {"composite": "comp.mp4", "mask": "mask.mkv", "output": "out.mp4", **change}
    for name, value in options.items():
        if isinstance(value, str) and name not in ("method", "consistency", "missing") and value != "alpha":
            options[name] = footage / value
    with pytest.raises(kind) as caught:
        harmonize_video(**options)
    message = str(caught.value)
    assert "\n" not in message
    for words in said:
        assert words in message
    assert sorted(footage.rglob("*")) == before


@pytest.mark.parametrize("consistency", ["shot", "smooth"])
@pytest.mark.parametrize(
    ("composite", "mask", "output"),
    [("comp.mp4", "long.mkv", "out.mp4"), ("cut.mkv", "mask.mkv", "out.mkv"), ("nan", "tiny.png", "out.%d.exr")],
)
def test_a_failed_clip_lets_go_of_all_at_once(
    footage: Path, tmp_path: Path, composite: str, mask: str, output: str, consistency: Consistency
) -> None:
    """An error that its own frames hold would keep decoders and encoders, threads and all, until garbage is found."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        with contextlib.suppress(errors.ChromacordError):
            harmonize_video(footage / composite, mask=footage / mask, output=tmp_path / output, consistency=consistency)
        gc.collect()
        found = [each.f_code.co_name for each in gc.garbage if isinstance(each, FrameType)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert not found


def test_mask_fit_scales_a_mask_of_another_size(footage: Path, tmp_path: Path) -> None:
    summary = harmonize_video(
        footage / "comp.mp4", mask=footage / "small.mkv", output=tmp_path / "out.mkv", mask_fit=True
    )
    assert (summary.num_frames, summary.num_empty) == (12, 0)


def test_a_gap_can_be_held(footage: Path, tmp_path: Path) -> None:
    summary = harmonize_video(
        footage / "gap", mask=footage / "tiny.png", output=tmp_path / "out.%04d.exr", missing="hold"
    )
    assert summary.num_frames == 12
    assert len(list(tmp_path.iterdir())) == 12


def test_what_decodes_of_a_cut_file_can_be_salvaged(footage: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        summary = harmonize_video(
            footage / "cut.mkv", mask=footage / "mask.mkv", output=tmp_path / "out.mkv", salvage=True
        )
    assert 2 <= summary.num_frames < 12
    assert any(issubclass(warning.category, errors.ChromacordWarning) for warning in caught)
    whole = decoded(footage / "whole.mkv")
    for index, planes in enumerate(decoded(tmp_path / "out.mkv")):
        np.testing.assert_array_equal(planes[0][disc(index) == 0], whole[index][0][disc(index) == 0])


def test_a_grade_for_another_clip_is_refused(footage: Path, tmp_path: Path) -> None:
    grade = tmp_path / "grade.json"
    harmonize_video(
        footage / "comp.mp4", mask=footage / "mask.mkv", output=tmp_path / "a.mp4", grade_out=grade, frames=(0, 6)
    )
    with pytest.raises(errors.GradeFileError, match="6 frames"):
        harmonize_video(footage / "comp.mp4", mask=footage / "mask.mkv", output=tmp_path / "b.mp4", grade_in=grade)
    assert not (tmp_path / "b.mp4").exists()


def test_a_range_without_frames_is_refused_with_a_grade_too(footage: Path, tmp_path: Path) -> None:
    composite, mask, grade = footage / "comp.mp4", footage / "mask.mkv", tmp_path / "grade.json"
    harmonize_video(composite, mask=mask, output=tmp_path / "a.mp4", grade_out=grade)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(errors.InputError, match="no frames in 50:60"):
        harmonize_video(composite, mask=mask, output=tmp_path / "b/", grade_in=grade, frames=(50, 60))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_named(footage: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    names = [str(path) for path in (footage / "comp.mp4", footage / "mask.mkv", locked / "out.mp4")]
    script = "import chromacord as cc; cc.harmonize_video({!r}, mask={!r}, output={!r})".format(*names)
    command = [sys.executable, "-c", script]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", *command]
        for parent in (footage, *footage.parents):
            if not parent.stat().st_mode & 0o005:
                pytest.skip(f"{parent} is closed to other users")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "OutputError" in done.stderr.splitlines()[-1]
    assert "locked" in done.stderr.splitlines()[-1]


def test_a_folder_that_takes_no_files_is_refused_before_any_frame_is_read(footage: Path) -> None:
    """Not even root can create a file in /proc, although its permissions allow it."""
    told: list[object] = []
    with pytest.raises(errors.OutputError, match=r"x\.mp4: .*no file can be created in /proc"):
        harmonize_video(
            footage / "comp.mp4", mask=footage / "mask.mkv", output=Path("/proc/x.mp4"), progress=told.append
        )
    assert told == []


def running(footage: Path, out: Path) -> subprocess.Popen[str]:
    """Start a run in a separate process, and return when both outputs have its first frame; it is slow from then on.

    Named files do not show this: headers are written first, and a codec delays its first frames.
    """
    script = f"""
        import time
        from chromacord.job import job
        from chromacord.api import harmonize_video
        write_behind = job.write_behind
        def telling(write):
            def write_and_tell(pair):
                write(pair)
                print("written", flush=True)
            return write_behind(write_and_tell)
        job.write_behind = telling
        def slowly(progress):
            if progress.stage == "render" and progress.done:
                for _ in range(600):
                    time.sleep(0.1)  # one long sleep would begin after a signal that comes just before it
        harmonize_video({str(footage / "comp.mp4")!r}, mask={str(footage / "mask.mkv")!r}, output={str(out)!r},
                        preview={str(out.with_name("beside.mp4"))!r}, progress=slowly)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    assert len(list(out.parent.iterdir())) == 2
    return process


def test_ctrl_c_leaves_nothing(footage: Path, tmp_path: Path) -> None:
    process = running(footage, tmp_path / "out.mp4")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_no_output_and_the_next_run_cleans_up(footage: Path, tmp_path: Path) -> None:
    process = running(footage, tmp_path / "out.mp4")
    process.kill()
    process.communicate()
    assert not (tmp_path / "out.mp4").exists()
    assert list(tmp_path.iterdir()) != []  # the temporary files, which nobody could remove
    time.sleep(0.1)
    harmonize_video(
        footage / "comp.mp4", mask=footage / "mask.mkv", output=tmp_path / "out.mp4", preview=tmp_path / "beside.mp4"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside.mp4", "out.mp4"]


def test_a_full_disk_removes_the_partial_file(footage: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: the same write fails, half-way through the clip."""
    make_composite(tmp_path / "comp.mkv", codec="ffv1", num_frames=40)
    make_mask(tmp_path / "mask.mkv", num_frames=40)
    script = f"""
        import resource, signal
        from chromacord.api import harmonize_video
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))
        harmonize_video({str(tmp_path / "comp.mkv")!r}, mask={str(tmp_path / "mask.mkv")!r},
                        output={str(tmp_path / "out.mkv")!r})
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, timeout=120
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "OutputError" in last
    assert "out.mkv" in last
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comp.mkv", "mask.mkv"]
