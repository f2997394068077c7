"""Errors of flow against sources whose mistakes are known."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.bench.flow_error import (
    SOURCES,
    FlowSetting,
    NoFlow,
    build_source,
    flow_table,
    measure_flow,
    warping_errors,
)
from chromacord.lab.flow.spynet import SPyNet, SPyNetFlow
from chromacord.lab.reporting.tables import markdown
from tests.lab.training.material import disc, picture, write_manifest, write_still

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"


class Shift:
    """Says that all moves by so much to the right."""

    name = "shift"

    def __init__(self, x: float) -> None:
        self._x = x

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        flow = torch.zeros_like(first[:, :2])
        flow[:, 0] = self._x
        return flow


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of three frames for dev, and one that is to be left alone."""
    folder = tmp_path_factory.mktemp("footage")
    for index in range(3):
        write_still(folder / "video/walk", f"{index:05d}", picture(index, 64), disc(index, 64))
        write_still(folder / "video/other", f"{index:05d}", picture(9, 64), disc(index, 64))
    write_manifest(folder, ["video/walk,video,binary,dev,CC0", "video/other,video,binary,train,CC0"])
    return folder


def test_a_warping_error_is_what_is_left_of_the_next_frame_seen_along_the_flow() -> None:
    """A ramp of 2 codes a pixel that moves 3 to the right: 6 codes off without flow, and 2 with a flow of 2."""
    ramp = 2 * torch.arange(40.0).expand(1, 3, 20, 40) / 255
    clip = torch.cat([ramp[..., 3:23], ramp[..., :20]])
    assert warping_errors(NoFlow(), [clip]) == pytest.approx({"warping_mae": 6, "warping_mse": 36}, rel=1e-4)
    # Two columns lie beyond the edge, where the last one inside is used, so they are off by 4 and 6 instead of 2.
    expected = {"warping_mae": (18 * 2 + 4 + 6) / 20, "warping_mse": (18 * 4 + 16 + 36) / 20}
    assert warping_errors(Shift(2), [clip]) == pytest.approx(expected, rel=1e-4)


def test_clips_count_by_their_frames_and_those_of_one_frame_not_at_all() -> None:
    levels = torch.tensor([0.0, 1, 1, 3])[:, None, None, None].expand(4, 3, 4, 4) / 255
    found = warping_errors(NoFlow(), [levels[:3], levels[2:], levels[:1]])
    assert found == pytest.approx({"warping_mae": (1 + 0 + 2) / 3, "warping_mse": (1 + 0 + 4) / 3})
    assert all(value != value for value in warping_errors(NoFlow(), [levels[:1]]).values())


def test_sources_are_measured_on_pairs_and_on_the_frames_of_one_use(footage: Path) -> None:
    report = measure_flow(FlowSetting(footage, "dev", ("zero", "dis"), num_pairs=3))
    zero, dis = report["sources"]["zero"], report["sources"]["dis"]
    assert 0 < dis["epe"] < zero["epe"]
    assert dis["epe"] != dis["epe_all"]
    assert dis["warping_mse"] < zero["warping_mse"]
    other = measure_flow(FlowSetting(footage, "train", ("zero",), num_pairs=1))["sources"]["zero"]
    assert other["warping_mae"] == pytest.approx(0, abs=1e-4)  # its frames are all the same
    text = markdown([flow_table(report)])
    assert f"| dis | {dis['epe']:.3f} |" in text
    assert "use dev" in text


def test_a_file_of_weights_is_a_source(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weight_files.save(SPyNet().state_dict(), tmp_path / "own.safetensors")
    torch.save(SPyNet().state_dict(), tmp_path / "own.pth")
    torch.save(SPyNet().state_dict(), tmp_path / "own.ckpt")
    for name in ("own.safetensors", "own.pth", "own.ckpt"):
        assert isinstance(build_source(str(tmp_path / name)), SPyNetFlow)


def test_presets_of_dis_differ() -> None:
    whole = torch.from_numpy(picture(3, 80)).permute(2, 0, 1)[None] / 255
    first, second = whole[..., :64], whole[..., 6:70]
    flows = [build_source(name)(first, second) for name in ("dis-ultrafast", "dis-fast", "dis")]
    assert not torch.equal(flows[0], flows[1])
    assert not torch.equal(flows[1], flows[2])
    assert set(SOURCES) >= {"zero", "dis-ultrafast", "dis-fast", "dis"}


def test_what_cannot_be_measured_is_refused_in_one_line(footage: Path) -> None:
    for changed, said in (
        (
            {"sources": ("magic",)},
            "there is no source of flow 'magic'; choose one of zero, dis-ultrafast, dis-fast, dis",
        ),
        ({"sources": ()}, "no source is given"),
        ({"num_pairs": 0}, "pairs must be 1 or more, got 0"),
        ({"use": "test"}, "and none the use test"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            measure_flow(FlowSetting(footage)._replace(**changed))  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_what_was_measured_of_the_spynet_that_ships_keeps_its_bars() -> None:
    report = json.loads((RESULTS / "flow.json").read_text(encoding="utf-8"))
    found = report["sources"]
    assert not report["commit"].endswith("-dirty")
    assert found["spynet"]["epe"] <= 0.5 * found["zero"]["epe"]
    for error in ("epe", "large_epe"):
        assert found["spynet"][error] <= found["dis"][error]
    for error in ("warping_mae", "warping_mse"):
        assert found["spynet"][error] < found["dis-ultrafast"][error]
