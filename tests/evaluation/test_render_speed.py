import numpy as np
import pytest
import torch

from chromacord.errors import InputError
from chromacord.evaluation import render_speed
from chromacord.evaluation.render_speed import RenderSetting, measure_render, render_table
from chromacord.evaluation.speed import MeasurementError
from chromacord.evaluation.speed_clips import SIZES
from chromacord.pipeline.device_render import DeviceRenderer
from chromacord.types import Frame, Size

SETTING = RenderSetting("1080p", num_frames=2, repeats=2)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "1080p", Size(72, 128))


def test_a_report_compares_each_grade_with_a_copy_of_the_bytes_of_its_box() -> None:
    report = measure_render(SETTING)
    box = report["box"]
    # 4:2:0 has 1.5 samples a pixel, which are read and written, and the mask has one.
    assert report["bytes_per_frame"] == 4 * box["height"] * box["width"]
    assert box["height"] < 72
    assert report["largest_difference_from_cpu"] <= 1
    for found in report["grades"].values():
        milliseconds = found["whole"]["ms_per_frame"]["median"]
        assert found["whole"]["frames_per_second"] == pytest.approx(1000 / milliseconds, rel=0.01)
        ratio = milliseconds / report["copy"]["ms_per_frame"]["median"]
        assert found["whole"]["times_a_copy"] == pytest.approx(ratio, rel=0.01)
    table = render_table(report)
    assert [row.label for row in table.rows] == ["lut", "affine"]
    assert table.rows[0].values[3:] == (None,) * 6


def test_a_device_whose_frames_differ_from_the_cpus_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(DeviceRenderer):
        def render(self, *arguments: object) -> Frame:
            frame = super().render(*arguments)
            return Frame(tuple(np.where(plane < 200, plane + 3, plane) for plane in frame.planes), frame.index)

    monkeypatch.setattr(render_speed, "DeviceRenderer", Wrong)
    with pytest.raises(MeasurementError, match=r"differs from the CPU's by [34]"):
        measure_render(SETTING)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (SETTING._replace(size="8k"), "no size '8k'"),
        (SETTING._replace(foreground=0.9), "foreground must lie"),
        (SETTING._replace(num_frames=0), "at least 1 frame"),
        (SETTING._replace(device="tpu"), "no device 'tpu'"),
    ],
)
def test_what_cannot_be_measured_is_said(setting: RenderSetting, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure_render(setting)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_measured_from_frame_to_frame_and_on_the_device() -> None:
    report = measure_render(SETTING._replace(device="cuda"))
    assert set(report["grades"]["lut"]) == {"whole", "resident", "fused"}
