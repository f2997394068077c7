import pytest

from benchmarks import finish
from benchmarks.speed_clips import SIZES
from chromacord.types import Size


def test_decontaminated_edges_are_nearer_to_the_truth() -> None:
    found = finish.edge_errors()
    assert found["decontaminated"]["sad"] < 0.6 * found["as filmed"]["sad"]
    assert found["decontaminated"]["gradient"] < 0.5 * found["as filmed"]["gradient"]


def test_a_fitted_edge_brings_masks_that_are_off_nearer_to_the_truth() -> None:
    found = finish.fitted_errors()
    for name in ("wider by 2", "narrower by 2"):
        assert found[f"{name}, fitted"]["sad"] < 0.85 * found[f"{name}, given"]["sad"]
        assert found[f"{name}, fitted"]["gradient"] < 0.6 * found[f"{name}, given"]["gradient"]


def test_noise_is_measured_and_matched_to_a_tenth_on_a_photograph() -> None:
    found = finish.grain_figures(4.0)
    assert found["measured"] == pytest.approx(1, abs=0.1)
    assert found["matched"] == pytest.approx(1, abs=0.1)


def test_no_grain_is_added_where_a_codec_has_taken_all_noise_away() -> None:
    found = finish.codec_figures()
    assert found["filmed"]["measured"] == pytest.approx(finish.DEVIATIONS[0], rel=0.1)
    assert found["filmed"]["change"] > finish.DEVIATIONS[0]
    assert found["encoded"] == {"measured": 0, "change": 0}


@pytest.mark.parametrize("step", [(0.4, 0.2), (2.6, 1.3)])
def test_a_moving_photograph_gets_the_target_noise_to_a_tenth_and_keeps_its_detail(step: tuple[float, float]) -> None:
    found = finish.denoise_figures(step)
    assert found["noise"] == pytest.approx(finish.WANTED, rel=0.1)
    assert found["noise"] < 0.85 * found["not followed, noise"]
    assert 0.97 < found["detail"] < 1.03


def test_each_stage_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "1080p", Size(144, 256))
    assert set(finish.costs(1)) == {
        *("edge", "edge, fitted", "denoise", "denoise, at rest", "decontaminate", "despill", "contact shadow", "wrap"),
        *("sharpness", "sharpness, sharpened", "sharpness, measuring", "grain", "grain, measuring"),
        "decontaminate and despill",
    }


def test_the_blur_that_a_photograph_lacks_is_found() -> None:
    found = finish.sharpness_figures(1.0, 2.0)
    assert found["true"] == 1.732
    assert abs(found["measured"] / found["true"] - 1) < 0.15
