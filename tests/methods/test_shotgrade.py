"""ShotGrade against formulas, and what its shipped weights promise."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from chromacord import weights
from chromacord.color.alpha import over
from chromacord.color.transforms import lattice
from chromacord.errors import InputError
from chromacord.lab.networks.grade_network import GradeNetwork
from chromacord.lab.weight_files import save
from chromacord.methods import load_method
from chromacord.methods.close_up import close_up
from chromacord.methods.grade_estimator import GradeEstimator
from chromacord.methods.shotgrade import ShotGrade, ShotState, _evidence
from chromacord.sample.scene import ASTRONAUT, cut_out, read_photograph
from chromacord.types import FloatArray


def picture(seed: int = 0, *, frames: int = 1) -> FloatArray:
    """Smooth random pictures. Shape (frames, 3, 256, 256)."""
    coarse = np.random.default_rng(seed).random((frames, 7, 9, 3), np.float32)
    smooth = np.stack([cv2.resize(each, (256, 256), interpolation=cv2.INTER_LINEAR) for each in coarse])
    return np.ascontiguousarray(smooth.transpose(0, 3, 1, 2))


def disc(radius: float, *, frames: int = 1) -> FloatArray:
    """A disc in the middle; radius 1 touches the picture's edges. Shape (frames, 1, 256, 256)."""
    places = np.linspace(-1, 1, 256)
    inside = places[:, None] ** 2 + places**2 <= radius**2
    return np.tile(inside.astype(np.float32), (frames, 1, 1, 1))


def held(frame: FloatArray) -> FloatArray:
    """Eight times the same frame. Shape (1, C, H, W) to (8, C, H, W)."""
    return frame.repeat(8, axis=0)


@pytest.fixture(scope="module")
def method() -> ShotGrade:
    loaded = load_method("shotgrade")
    assert isinstance(loaded, ShotGrade)
    return loaded


def untrained(**options: float | bool) -> ShotGrade:
    """Random weights that decide something for every picture."""
    made = load_method("shotgrade", **options)
    assert isinstance(made, ShotGrade)
    torch.manual_seed(1)
    state = {name: value.numpy() for name, value in GradeNetwork(encoder=False).state_dict().items()}
    generator = np.random.default_rng(1)
    for name, scale in (("weights.weight", 0.05), ("log_error.weight", 0.5)):
        state[name] = generator.normal(0, scale, state[name].shape).astype(np.float32)
    made.estimator = GradeEstimator(state)
    return made


def run(
    method: ShotGrade, composite: FloatArray, mask: FloatArray, state: ShotState | None = None
) -> tuple[FloatArray, ShotState]:
    """Return the window's tables and the state. Shape (L, ...) each."""
    prediction = method.harmonize(composite[None], mask[None], state)
    assert prediction.transform is not None
    return prediction.transform.parameters, prediction.state


def change_of(lut: FloatArray) -> float:
    """Return how far tables move colours: root mean square over their nodes, in 8-bit levels."""
    return 255 * float(np.sqrt(((lut - lattice(lut.shape[-1])) ** 2).mean()))


def views(frames: FloatArray, masks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The method's views: crops around the foreground, every second one of which is closer and mirrored."""
    cut = []
    for number, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        step = -1 if number % 2 else 1
        cut.append(close_up(frame[..., ::step], mask[..., ::step], side=128, scale=1.6 if number % 2 else 2.2))
    pictures, weights = zip(*cut, strict=True)
    return np.stack(pictures), np.stack(weights)


def mean_change(method: ShotGrade, composite: FloatArray, mask: FloatArray) -> FloatArray:
    """The mean over every second frame."""
    frames, masks = composite[::2], mask[::2]
    found = method.estimator(*views(frames, masks))
    evidence = _evidence(frames, masks)
    share = evidence / evidence.sum()
    return np.einsum("n,ncxyz->cxyz", share, found.lut - method.estimator.unit)


def test_a_network_that_decides_nothing_changes_nothing() -> None:
    made = untrained(caution=0)
    made.estimator.state["weights.weight"][:] = 0
    made.estimator.state["weights.bias"][:] = 0
    found, _ = run(made, picture(frames=8), disc(0.5, frames=8))
    assert change_of(found) < 1e-4


def test_all_frames_of_the_first_window_get_the_mean_of_every_second_one() -> None:
    composite, mask = picture(frames=8), disc(0.5, frames=8)
    made = untrained(caution=0)
    joint, _ = run(made, composite, mask)
    assert (joint == joint[0]).all()
    evidence = _evidence(composite[:1], mask[:1])[0]
    expected = made.estimator.unit + evidence * mean_change(made, composite, mask)
    np.testing.assert_allclose(joint[0], expected, atol=1e-3)


def test_a_still_is_looked_at_twice() -> None:
    composite, mask = picture(), np.roll(disc(0.3), 40, -1)
    made = untrained(caution=0)
    found, _ = run(made, held(composite), held(mask))
    both = made.estimator(*views(composite.repeat(2, axis=0), mask.repeat(2, axis=0))).lut
    evidence = _evidence(composite, mask)[0]
    expected = made.estimator.unit + evidence * (sum(both) / 2 - made.estimator.unit)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    assert np.abs(both[0] - both[1]).max() > 1e-3  # otherwise the second pass shows nothing


def test_the_grade_is_decided_the_same_without_the_pixels(method: ShotGrade) -> None:
    composite, mask = picture(frames=8)[None], disc(0.5, frames=8)[None]
    whole, decided = method.harmonize(composite, mask), method.decide(composite, mask)
    assert decided.harmonized is composite
    assert whole.transform is not None
    assert decided.transform is not None
    assert change_of(decided.transform.parameters) > 0.5
    assert np.array_equal(whole.transform.parameters, decided.transform.parameters)
    assert np.array_equal(whole.confidence, decided.confidence)


@pytest.mark.parametrize("caution", [-1, 1001])
def test_odds_without_sense_are_refused(caution: float) -> None:
    with pytest.raises(ValueError, match=r"caution must lie in 0\.\.1000"):
        untrained(caution=caution)


@pytest.mark.parametrize("caution", [0.5, 1.0, 4.0])
def test_strength_and_confidence_follow_calibration(caution: float) -> None:
    made, whole = untrained(caution=caution, per_frame=True), untrained(caution=0, per_frame=True)
    calibration = np.float32([[-1.0, 0.2, -0.3], [0.5, 0.1, -0.2]])
    for each in (made, whole):
        each.estimator.state["calibration"] = calibration
    composite, mask = picture(), disc(0.5)
    prediction = made.harmonize(composite[None], mask[None])
    full, _ = run(whole, composite, mask)
    estimate = made.estimator(*views(composite, mask))
    # How far the foreground's colours move: at nodes, where they lie near enough to each other.
    weight = mask[0, 0, ::4, ::4]
    nodes = np.rint(composite[0, :, ::4, ::4] * 8).astype(int)
    change = (estimate.lut[0] - made.estimator.unit)[:, nodes[2], nodes[1], nodes[0]]
    moved = np.log((((change**2).mean(axis=0) * weight).sum() / weight.sum()) + 1e-6)
    odds = calibration @ np.array([1, moved, estimate.log_error[0]])
    strength, chance = 1 / (1 + np.exp(-(odds - [np.log(caution), 0])))
    assert change_of(prediction.transform.parameters) == pytest.approx(strength * change_of(full), rel=1e-3)
    evidence = float(_evidence(composite, mask)[0])
    assert float(prediction.confidence[0]) == pytest.approx(chance * evidence, rel=1e-3)
    assert 0.01 < strength < 0.99


def test_without_any_evidence_nothing_is_applied_however_bold() -> None:
    for caution in (0.0, 4.0):
        found, _ = run(untrained(caution=caution, per_frame=True), picture(), np.zeros_like(disc(0.5)))
        assert change_of(found) < 1e-6


@pytest.mark.parametrize("memory", [0.0, 0.5, 1.0])
def test_what_is_remembered_counts_by_evidence_and_fades(memory: float) -> None:
    made = untrained(memory=memory, caution=0)
    mask = disc(0.5, frames=8)
    (first, state), (_, alone) = run(made, picture(1, frames=8), mask), run(made, picture(2, frames=8), mask)
    joined, after = run(made, picture(2, frames=8), mask, state)
    kept, new = memory * float(state.weight[0]), float(alone.weight[0])
    mean = (kept * state.change[0] + new * alone.change[0]) / (kept + new)
    np.testing.assert_allclose(after.change[0], mean, atol=1e-5)
    np.testing.assert_allclose(joined[7], made.estimator.unit + min(kept + new, 1) * mean, atol=1e-5)
    np.testing.assert_allclose(joined[1], first[7] + (joined[7] - first[7]) / 4, atol=1e-5)  # in equal steps


def test_a_frame_that_is_repeated_to_fill_a_window_counts_once() -> None:
    made = untrained()
    composite, mask = picture(frames=8), disc(0.5, frames=8)
    padded = composite.copy()
    padded[3:] = composite[2]
    _, state = run(made, padded, mask)
    frames = composite[[0, 2]]
    change = made.estimator(*views(frames, mask[:2])).lut - made.estimator.unit
    share = _evidence(frames, mask[:2])
    np.testing.assert_allclose(state.change[0], np.tensordot(share / share.sum(), change, axes=1), atol=1e-4)


def test_frames_without_foreground_do_not_dilute_the_grade_of_the_others() -> None:
    made = untrained(caution=0)
    composite, mask = picture(frames=8), disc(0.5, frames=8)
    mask[1:] = 0
    alone = made.estimator(*views(composite[:1], mask[:1])).lut[0] - made.estimator.unit
    _, state = run(made, composite, mask)
    np.testing.assert_allclose(state.change[0], alone, atol=1e-5)


def test_the_exported_lattice_of_33_holds_the_same_map() -> None:
    made = untrained()
    transform = made.harmonize(held(picture())[None], disc(0.5, frames=8)[None]).transform
    assert transform is not None
    one = transform.with_parameters(transform.parameters[:1])
    colors = np.random.default_rng(5).random((1, 3, 40, 40), np.float32)
    np.testing.assert_allclose(one.to_lut(33)(colors), one(colors), atol=1e-5)


def test_weights_of_something_else_are_refused_and_the_keys_named(tmp_path: Path) -> None:
    save({"encoder.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"does not fit GradeNetwork .*missing: .*unexpected: encoder\.weight"):
        load_method("shotgrade", weights=str(tmp_path / "other.safetensors"))


def test_a_memory_outside_its_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"memory must lie in 0\.\.1"):
        load_method("shotgrade:memory=2")


@pytest.mark.parametrize("name", [name for name in weights.list_weights() if weights.card(name).method == "shotgrade"])
class TestShippedWeights:
    """What a user may rely on, of each set."""

    def load(self, name: str) -> ShotGrade:
        loaded = load_method("shotgrade", weights=name)
        assert isinstance(loaded, ShotGrade)
        return loaded

    def recolored(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """A photograph whose person is too warm and too bright. Composite, mask, real, of one frame each."""
        photograph = read_photograph(ASTRONAUT)
        real, mask = (
            np.atleast_3d(cv2.resize(each, (256, 256), interpolation=cv2.INTER_AREA)).transpose(2, 0, 1)[None]
            for each in (photograph, cut_out(photograph))
        )
        warm = (real * np.float32([1.15, 1.0, 0.7])[:, None, None]).clip(0, 1)
        return over(warm, real, mask), mask, real

    def test_a_warm_foreground_comes_nearer_to_the_truth(self, name: str) -> None:
        composite, mask, real = self.recolored()
        method = self.load(name)
        harmonized = method.harmonize(held(composite)[None], held(mask)[None]).harmonized
        error = (((harmonized[0, 0] - real[0]) * mask[0]) ** 2).sum()
        assert error < 0.8 * (((composite[0] - real[0]) * mask[0]) ** 2).sum()

    @pytest.mark.parametrize("case", ["tiny mask", "tiny background", "night on night"])
    def test_without_evidence_a_grade_shrinks_towards_nothing(self, name: str, case: str) -> None:
        composite, mask, _ = self.recolored()
        method = self.load(name)
        full, _ = run(method, held(composite), held(mask))
        if case == "tiny mask":
            mask = disc(0.01)
        elif case == "tiny background":
            mask = 1 - disc(0.01)
        else:
            composite = np.float32(0.02) * composite
        weak, state = run(method, held(composite), held(mask))
        assert mask.sum() > 0
        assert change_of(weak[:1]) < 0.35 * change_of(full[:1])
        assert float(state.weight[0]) < 0.35

    def test_a_second_pass_changes_less_than_the_first(self, name: str) -> None:
        composite, mask, _ = self.recolored()
        method = load_method(f"shotgrade:weights={name}:per_frame=true")
        once = method.harmonize(composite[None], mask[None]).harmonized[0]
        twice = method.harmonize(once[None], mask[None]).harmonized[0]
        moved = [float((((after - before) * mask) ** 2).sum()) for before, after in ((composite, once), (once, twice))]
        assert moved[1] < 0.3 * moved[0]
