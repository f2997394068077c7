import pytest
import torch

from chromacord.analysis.windows import windows
from chromacord.errors import InputError
from chromacord.lab.bench import method_speed
from chromacord.lab.bench.fresh_process import MeasurementError, run_fresh
from chromacord.lab.bench.method_speed import (
    TABLE_4_METHODS,
    MethodSetting,
    measure_methods,
    speed_table,
    summarize_method,
    window_table,
)
from chromacord.lab.bench.method_speed_worker import SyntheticClip, Work, cut, make_clip, measure
from chromacord.lab.reporting.tables import markdown
from chromacord.lab.torch_method import TensorPrediction, TorchMethod
from chromacord.methods import load_method
from chromacord.methods.base import State, Window
from chromacord.types import Size

FOUND = {
    "window": {"past": 2, "hop": 2, "future": 1, "length": 5},
    "size": [256, 256],
    "parameters": 12,
    "is_untrained": False,
    "multiply_adds": 4_000_000_000,
    "device": "cpu",
    "frames": 8,
    "windows": 4,
    "cpu_seconds": [0.8, 0.4, 1.6],
    "seconds": [1.0, 0.5, 2.0],
    "peak_memory_mb": {"whole": 300.0, "without_imports": 20.0},
}


class Counting(TorchMethod):
    """Three frames in, two of them out; records its input."""

    window = Window(past=1, hop=2)
    working_size = Size(16, 24)

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(7))
        self.calls: list[tuple[torch.Size, torch.Size, State]] = []

    def forward(self, composite: torch.Tensor, mask: torch.Tensor, state: State = None) -> TensorPrediction:
        self.calls.append((composite.shape, mask.shape, state))
        torch.nn.functional.conv2d(composite[:, 0], torch.ones(2, 3, 1, 1))
        return TensorPrediction(composite[:, 1:], (state or 0) + 1)


def test_the_pictures_are_smooth_change_and_have_a_soft_disc_of_another_tint() -> None:
    clip = make_clip(6, Size(96, 128))
    assert (clip.composite.shape, clip.mask.shape) == ((6, 3, 96, 128), (6, 1, 96, 128))
    assert 0 <= float(clip.composite.min()) <= float(clip.composite.max()) <= 1
    assert float(clip.mask.mean()) == pytest.approx(0.25, abs=0.01)
    assert ((clip.mask > 0) & (clip.mask < 1)).any()
    steps = clip.composite[0].diff(dim=1)[:, clip.mask[0, 0, 1:] == 0]
    assert float(steps.abs().max()) < 0.2
    assert float((clip.composite[0] - clip.composite[-1]).abs().mean()) > 0.01
    red, _, blue = (clip.composite[0, channel][clip.mask[0, 0] == 1].mean() for channel in range(3))
    assert float(red) > float(blue)


@pytest.mark.parametrize("window", [Window(), Window(hop=2), Window(past=2, hop=2, future=1), Window(past=8, hop=4)])
def test_windows_are_cut_as_the_pipeline_cuts_them(window: Window) -> None:
    clip = make_clip(4, Size(16, 16))
    pieces = cut(clip, window)
    expected = [SyntheticClip(clip.composite[each.items], clip.mask[each.items]) for each in windows(range(4), window)]
    assert len(pieces) == len(expected)
    for piece, whole in zip(pieces, expected, strict=True):
        assert torch.equal(piece.composite[0], whole.composite)
        assert torch.equal(piece.mask[0], whole.mask)


def test_a_method_runs_over_whole_hops_after_a_warm_up_and_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    method = Counting()
    monkeypatch.setattr("chromacord.lab.bench.method_speed_worker.load_method", lambda name: method)
    monkeypatch.setattr("chromacord.lab.bench.method_speed_worker.lacks_weights", lambda name: False)
    found = measure("counting", Work(frames=3, repeats=2, device="cpu", threads=1))
    assert found["window"] == {"past": 1, "hop": 2, "future": 0, "length": 3}
    assert (found["size"], found["parameters"], found["frames"], found["windows"]) == ([16, 24], 7, 4, 2)
    assert len(found["cpu_seconds"]) == len(found["seconds"]) == 2  # type: ignore[arg-type]
    # Two windows each for the warm-up, both repeats and the count; every time the clip starts without a state.
    assert [state for *_, state in method.calls] == [None, 1] * 4
    assert found["multiply_adds"] == 2 * 3 * 2 * 16 * 24  # windows, channels in and out, pixels
    assert found["is_untrained"] is False
    assert {call[:2] for call in method.calls} == {((1, 3, 3, 16, 24), (1, 3, 1, 16, 24))}


def test_a_window_and_a_frame_have_their_share_of_the_time() -> None:
    report = summarize_method(FOUND)
    assert report["cpu_ms_per_window"] == {"min": 100, "median": 200, "max": 400}
    assert report["cpu_ms_per_frame"] == {"min": 50, "median": 100, "max": 200}
    assert report["wall_ms_per_frame"] == {"min": 62.5, "median": 125, "max": 250}
    assert report["parameters"] == 12
    assert "seconds" not in report


def test_the_table_has_a_row_for_each_method() -> None:
    report = {"setting": MethodSetting(("a", "b:c=1"))._asdict(), "methods": dict.fromkeys(("a", "b:c=1"), None)}
    report["methods"] = {name: summarize_method(FOUND) for name in report["methods"]}
    text = markdown([speed_table(report)])
    assert "| a | 2+2+1 | 12 | 0.50 | 200.00 | 50.00 | 100.00 | 200.00 | 250.00 | 125.00 | 20 |" in text
    assert "| b:c=1 |" in text
    assert "5 repeats" in text
    assert "random weights" not in text


def test_methods_without_weights_are_measured_with_random_ones_and_named() -> None:
    report = {
        "setting": MethodSetting(("a",))._asdict(),
        "methods": {"a": {**summarize_method(FOUND), "is_untrained": True}},
    }
    assert "With random weights, since none ship: a." in markdown([speed_table(report)])


def test_the_papers_windows_are_measured_in_its_form() -> None:
    for frames, name in zip((3, 5, 7), TABLE_4_METHODS, strict=True):
        method = load_method(name, weights=None)
        assert method.window == Window(past=0, hop=frames, future=0)
        assert method.working_size == Size(256, 256)
    found = {
        name: summarize_method({**FOUND, "window": {"past": 0, "hop": frames, "future": 0, "length": frames}})
        for frames, name in zip((3, 5, 7), TABLE_4_METHODS, strict=True)
    }
    text = markdown([window_table({"setting": MethodSetting(TABLE_4_METHODS)._asdict(), "methods": found})])
    assert "| 3 frames | 0.250 | 0.125 | 0.100 | 0.168 |" in text
    assert "| 7 frames | 0.250 | 0.125 | 0.100 | 0.298 |" in text


def test_each_method_is_measured_in_a_process_of_its_own() -> None:
    told: list[str] = []
    report = measure_methods(MethodSetting(("identity", "mkl:max_gain=2"), num_frames=2, repeats=2), tell=told.append)
    assert told == ["method 1 of 2: identity", "method 2 of 2: mkl:max_gain=2"]
    measured = report["methods"]
    assert isinstance(measured, dict)
    assert list(measured) == ["identity", "mkl:max_gain=2"]
    for values in measured.values():
        assert (values["size"], values["frames"], values["device"]) == ([256, 256], 2, "cpu")
        spread = values["cpu_ms_per_frame"]
        assert 0 <= spread["min"] <= spread["median"] <= spread["max"]
        assert values["peak_memory_mb"]["whole"] > values["peak_memory_mb"]["without_imports"] >= 0
    assert {"machine", "versions", "commit"} <= set(report)


def test_a_method_whose_process_fails_is_named() -> None:
    work = {"frames": 1, "repeats": 1, "device": "cpu", "threads": 1}
    with pytest.raises(MeasurementError, match=r"'magic' failed: .*no method 'magic'"):
        run_fresh("chromacord.lab.bench.method_speed_worker", "magic", work)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ()}, "no method is given"),
        ({"methods": ("mkl", "magic")}, "there is no method 'magic'"),
        ({"num_frames": 0}, "frames must be 1 or more, got 0"),
        ({"repeats": 0}, "repeats must be"),
        ({"threads": 0}, "threads must be"),
        ({"device": "abacus"}, "there is no device 'abacus'; choose one of cpu, cuda"),
    ],
)
def test_a_setting_that_cannot_be_measured_is_refused_before_anything_runs(
    changes: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(method_speed, "run_fresh", lambda *_, **__: pytest.fail("ran"))
    with pytest.raises(InputError, match=message):
        measure_methods(MethodSetting(("mkl",))._replace(**changes))  # type: ignore[arg-type]


def test_without_a_gpu_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device cuda: torch finds none on this machine"):
        measure_methods(MethodSetting(("mkl",), device="cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_its_name_and_its_memory_are_stated() -> None:
    report = measure_methods(MethodSetting(("mkl",), num_frames=2, repeats=1, device="cuda"))
    measured = report["methods"]
    assert isinstance(measured, dict)
    assert measured["mkl"]["device"] == torch.cuda.get_device_name()
    assert measured["mkl"]["peak_memory_mb"]["device"] > 0
