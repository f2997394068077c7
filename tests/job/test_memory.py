"""Memory does not depend on length. Each measurement is a separate process, because peaks never fall."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from chromacord.types import Size
from tests.clips import make_clip


def make_footage(folder: Path, size: Size) -> None:
    """Write ten frames of grainy footage and a moving elliptic mask, and both of them 5, 15 and 50 times over."""
    generator = np.random.default_rng(0)
    smooth = cv2.resize(generator.integers(40, 200, (9, 16)).astype(np.uint8), (size.width, size.height))
    chroma = [np.full((size.height // 2, size.width // 2), code, np.uint8) for code in (118, 136)]
    frames, masks = [], []
    for index in range(10):
        grain = generator.integers(-4, 5, size).astype(np.int16)
        frames.append([(np.roll(smooth, 8 * index, axis=1) + grain).astype(np.uint8), *chroma])
        mask = np.full(size, 16, np.uint8)
        center = (size.width // 2 + 8 * index, size.height // 2)
        cv2.ellipse(mask, center, (round(size.width * 0.28), round(size.height * 0.28)), 0, 0, 360, 235, -1)
        masks.append([mask, *(np.full_like(plane, 128) for plane in chroma)])
    for name, pictures in (("comp", frames), ("mask", masks)):
        short = make_clip(folder / f"{name}.mp4", size=size, frames=pictures, options={"g": "10", "bf": "0"})
        for times in (5, 15, 50):
            repeat(short, folder / f"{name}{10 * times}.mp4", times)


def repeat(path: Path, out: Path, times: int) -> None:
    """Write a clip's packets several times in a row, without encoding them again."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        duration = int(stream.duration or 0)
        for turn in range(times):
            source.seek(0)
            for packet in source.demux(stream):
                if packet.size:
                    packet.pts, packet.dts = packet.pts + turn * duration, packet.dts + turn * duration
                    packet.stream = copy
                    target.mux(packet)


def peak(folder: Path, num_frames: int) -> dict[str, float]:
    """Harmonize a clip in a new process, and return its peak memory in MB: in all, and of the imports alone."""
    script = f"""
        import json, pathlib, torch
        def peak():  # ru_maxrss begins with what the process had that started this one
            lines = pathlib.Path("/proc/self/status").read_text().splitlines()
            return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        torch.set_num_threads(1)
        imports = peak()
        from chromacord.api import harmonize_video
        from chromacord.io import Encoding
        summary = harmonize_video("comp{num_frames}.mp4", mask="mask{num_frames}.mp4", output="out{num_frames}.mp4",
                                  encoding=Encoding(preset="ultrafast", crf=30), force=True)
        assert summary.num_frames == {num_frames}
        print(json.dumps(dict(whole=peak() / 1e6, torch=imports / 1e6)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=folder, capture_output=True, text=True, check=True
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


@pytest.mark.slow
def test_memory_of_a_4k_clip_does_not_grow_with_its_length(tmp_path: Path) -> None:
    make_footage(tmp_path, Size(2160, 3840))
    # Analysis runs some 60 frames ahead of the render: both clips are longer.
    short, long = peak(tmp_path, 150), peak(tmp_path, 500)
    # 350 more frames of 12 MB each; runs of one length differ by 80 MB, since threads fill their queues or do not.
    assert long["whole"] <= short["whole"] + 120, (short, long)
    assert long["whole"] < 1000, long


@pytest.mark.slow
def test_1080p_needs_less_than_500_mb_beside_torch(tmp_path: Path) -> None:
    make_footage(tmp_path, Size(1080, 1920))
    measured = peak(tmp_path, 50)
    assert measured["whole"] - measured["torch"] < 500, measured


def test_videos_need_no_library_for_image_files() -> None:
    script = "import sys, chromacord.api; assert 'OpenImageIO' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
