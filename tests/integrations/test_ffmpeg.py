"""The commands of integrations/ffmpeg/README.md, run by ffmpeg and mpv, and compared with chromacord's own render."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from chromacord import Encoding, render
from chromacord.types import Size
from tests.footage import decoded, disc, make_composite, make_mask, recoloured
from tests.integrations.conftest import Shell
from tests.integrations.results import record
from tests.pages import ROOT, blocks

COMMANDS = blocks((ROOT / "integrations/ffmpeg/README.md").read_text(encoding="utf-8"), "sh")
SIZE = Size(144, 192)
FFMPEG = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg (Debian: apt install ffmpeg)")
MPV = pytest.mark.skipif(not shutil.which("mpv"), reason="needs mpv (Debian: apt install mpv)")


def command_with(*words: str) -> str:
    """Return the page's only command that contains all words."""
    (found,) = [command for command in COMMANDS if all(word in command for word in words)]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """Return a folder with the files that the page names."""
    folder = tmp_path_factory.mktemp("ffmpeg")
    # Muted colours, because those outside RGB cannot survive a filter on RGB.
    frames = [[128 + (plane - 128.0) / 4 for plane in recoloured("yuv420p", index, SIZE)] for index in range(5)]
    muted = [[np.rint(plane).astype(np.uint8) for plane in planes] for planes in frames]
    make_composite(folder / "composite.mkv", frames=muted, size=SIZE, codec="ffv1")
    make_composite(folder / "rgb.mkv", "gbrp10le", num_frames=5, size=SIZE, codec="ffv1")
    make_mask(folder / "mask.mkv", frames=[[disc(index, SIZE)] for index in range(5)], size=SIZE)
    grade = f"{command_with('grade').rstrip()} --method mkl"
    shell(grade, folder)
    shell(grade.replace("composite.mkv", "rgb.mkv").replace("look", "rgb"), folder)
    for name, look in (("composite", "look"), ("rgb", "rgb")):
        ours = {"mask": folder / "mask.mkv", "output": folder / f"{name}_ours.mkv", "encoding": Encoding(codec="ffv1")}
        render(folder / f"{look}.cube", folder / f"{name}.mkv", **ours)
    return folder


def differences(one: Path, other: Path) -> np.ndarray:
    """Return the absolute differences of all samples of two clips, in codes."""
    frames = zip(decoded(one), decoded(other), strict=True)
    return np.concatenate([
        np.abs(np.subtract(*planes, dtype=int)).ravel() for pair in frames for planes in zip(*pair, strict=True)
    ])  # fmt: skip


def version_of(program: str) -> str:
    """Return the name and version that a program prints first."""
    option = {"ffmpeg": "-version", "mpv": "--version"}[program]
    said = subprocess.run([program, option], capture_output=True, text=True, check=True).stdout
    return " ".join(said.replace(" version", "", 1).split()[:2])


@FFMPEG
def test_the_filter_line_for_rgb_gives_our_render_to_a_code(folder: Path, shell: Shell) -> None:
    shell(command_with("rgb_filtered"), folder)
    assert differences(folder / "rgb.mkv", folder / "rgb_ours.mkv").max() > 20
    off = differences(folder / "rgb_filtered.mkv", folder / "rgb_ours.mkv")
    assert off.max() <= 2  # of 1023
    record("ffmpeg, RGB", None, program=version_of("ffmpeg"), largest_error_of_1023=int(off.max()))


@FFMPEG
def test_the_filter_line_for_video_gives_our_render_to_a_code(folder: Path, shell: Shell) -> None:
    shell(command_with("ffmpeg", "filtered.mkv", "yuv420p"), folder)
    assert differences(folder / "composite.mkv", folder / "composite_ours.mkv").max() > 5
    off = differences(folder / "filtered.mkv", folder / "composite_ours.mkv")
    assert np.mean(off <= 1) >= 0.995
    assert off.max() <= 8
    record("ffmpeg, 4:2:0", None, program=version_of("ffmpeg"), within_one_code=float(np.mean(off <= 1)))
    before, after, masks = (decoded(folder / f"{name}.mkv")[0] for name in ("composite", "filtered", "mask"))
    assert np.array_equal(before[0][masks[0] == 0], after[0][masks[0] == 0])


@FFMPEG
@MPV
def test_the_line_for_mpv_shows_our_render(folder: Path, shell: Shell) -> None:
    line = command_with("lavfi-complex").rstrip()
    (folder / "mpv").mkdir()
    shutil.copy(folder / "look.cube", folder / "mpv")
    for name in ("composite.mkv", "mask.mkv"):
        shell(f"ffmpeg -v error -i {name} -c:v ffv1 mpv/{name}", folder)  # mpv 0.35 reads only the old form
    shell(f"{line} --no-config --really-quiet --o=out.mkv --ovc=ffv1", folder / "mpv")
    off = differences(folder / "mpv/out.mkv", folder / "composite_ours.mkv")
    assert np.mean(off <= 1) >= 0.99
    record("mpv", None, program=version_of("mpv"), within_one_code=float(np.mean(off <= 1)))


@FFMPEG
def test_ffmpeg_feeds_and_reads_pipes(folder: Path, shell: Shell) -> None:
    shell(command_with("delivered"), folder)
    assert len(decoded(folder / "delivered.mp4")) == 5


@MPV
def test_mpv_reads_a_pipe(folder: Path, shell: Shell) -> None:
    shell(f"{command_with('| mpv -').rstrip()} --no-config --really-quiet --o=piped.mkv --ovc=ffv1", folder)
    shell("chromacord harmonize composite.mkv --mask mask.mkv -o harmonized.mkv --codec ffv1", folder)
    assert differences(folder / "piped.mkv", folder / "harmonized.mkv").max() == 0


@FFMPEG
def test_one_ffmpeg_feeds_two_named_pipes(folder: Path, shell: Shell) -> None:
    shell("ffmpeg -v error -i composite.mkv -i mask.mkv -map 0 -map 1 -c copy both.mkv", folder)
    shell(command_with("mkfifo"), folder)
    assert len(decoded(folder / "from_pipes.mkv")) == 5
