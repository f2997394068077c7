import time
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.speed import Setting, measure_video, summarize
from benchmarks.speed_clips import make_clips, natural_texture
from benchmarks.speed_worker import seconds_since_start
from chromacord.errors import InputError
from chromacord.lab.bench.fresh_process import MeasurementError, peak_megabytes, run_fresh
from chromacord.types import Size

TINY = Size(72, 128)


@pytest.mark.parametrize("foreground", [0.1, 0.25, 0.5])
def test_the_mask_covers_the_share_that_is_asked_for(tmp_path: Path, foreground: float) -> None:
    clips = make_clips(tmp_path, size=TINY, num_frames=6, foreground=foreground)
    with av.open(str(clips.mask)) as container:
        masks = [frame.to_ndarray()[: TINY.height] for frame in container.decode(video=0)]
    shares = [np.mean((mask.astype(float) - 16) / 219) for mask in masks]
    assert shares == pytest.approx([foreground] * 6, abs=0.01)
    assert np.abs(masks[0].astype(float) - masks[-1]).max() > 20


def test_the_composite_moves_and_has_tags(tmp_path: Path) -> None:
    clips = make_clips(tmp_path, size=TINY, num_frames=6, foreground=0.25)
    with av.open(str(clips.composite)) as container:
        frames = list(container.decode(video=0))
    assert (len(frames), frames[0].colorspace, frames[0].color_range) == (6, 1, 1)
    first, last = (frame.to_ndarray()[: TINY.height].astype(float) for frame in (frames[0], frames[-1]))
    assert first.std() > 15
    assert np.abs(first - last).mean() > 1


def test_the_texture_has_the_spectrum_of_photographs() -> None:
    texture = natural_texture(Size(256, 256), np.random.default_rng(1))
    assert texture.mean() == pytest.approx(0, abs=1e-3)
    assert texture.std() == pytest.approx(1, abs=1e-3)
    spectrum = np.abs(np.fft.rfft2(texture))
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None, :])
    band = (frequency > 0.02) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(spectrum[band]), 1)[0]
    assert slope == pytest.approx(-1.2, abs=0.05)


def test_the_report_is_the_difference_of_what_was_run() -> None:
    def taken(cpu_seconds: float, peak: float, **stages: float) -> dict[str, float]:
        return {**stages, "frames": 10, "seconds": 2 * cpu_seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak}

    runs = {
        "plain": [taken(0.10, 300), taken(0.12, 310), taken(0.20, 305)],
        "job": [taken(0.30, 400), taken(0.31, 420), taken(0.50, 410)],
        "stages": [taken(1, 900, render=7), taken(1, 900, render=9), taken(1, 900, render=8)],
        "nothing": [taken(0, 201), taken(0, 200), taken(0, 202)],
        "start": [taken(1, 400, since_start=2.5), taken(1, 400, since_start=2), taken(1, 400, since_start=4)],
    }
    report = summarize(Setting(), runs)
    assert report["cpu_ms_per_frame"] == {"job": {"min": 30, "median": 31}, "plain": {"min": 10, "median": 12}}
    assert report["overhead_cpu_ms_per_frame"] == {"min": 20, "median": 19}
    assert report["overhead_by_plain"] == 2
    assert report["projected_frames_per_second_on_two_cores"] == pytest.approx(66.7)
    assert report["seconds_to_first_frame"] == {"min": 2, "median": 2.5}
    assert report["stages_cpu_ms_per_frame"] == {"render": {"min": 7, "median": 8}}
    assert report["peak_memory_mb"] == {"job": 420, "plain": 310, "imports_alone": 200, "job_without_imports": 220}
    assert report["frames_per_second"] == pytest.approx(10 / 0.6, abs=0.01)


def test_a_measured_process_that_fails_is_named() -> None:
    with pytest.raises(MeasurementError, match=r"'plain' failed: .*nowhere\.mp4"):
        run_fresh(
            "benchmarks.speed_worker",
            "plain",
            {"composite": "nowhere.mp4", "mask": "", "output": "", "method": "", "crf": 1, "preset": ""},
        )


@pytest.mark.parametrize("setting", [Setting(size="8k"), Setting(foreground=0.6), Setting(num_frames=3)])
def test_a_setting_that_cannot_be_measured_is_refused(setting: Setting) -> None:
    with pytest.raises(InputError):
        measure_video(setting)


def test_peak_memory_grows_with_what_is_held() -> None:
    before = peak_megabytes()
    held = np.ones(int(before * 1e6 / 8 * 0.5) + 10_000_000)
    assert peak_megabytes() >= held.nbytes / 1e6


def test_the_time_since_the_start_of_a_process_grows_with_the_clock() -> None:
    before = seconds_since_start()
    time.sleep(0.05)
    assert seconds_since_start() - before == pytest.approx(0.05, abs=0.04)
    assert 0 < before < 24 * 3600
