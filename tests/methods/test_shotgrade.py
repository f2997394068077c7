"""ShotGrade against formulas, and what its shipped weights promise."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from chromacord import weights
from chromacord.color.alpha import over
from chromacord.data.sample import cut_out, read_photograph
from chromacord.errors import InputError
from chromacord.methods import load_method
from chromacord.methods.shotgrade import GradeNetwork, ShotGrade, ShotState, color_histograms


def picture(seed: int = 0, *, frames: int = 1) -> Tensor:
    """Smooth random pictures. Shape (frames, 3, 256, 256)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(frames, 3, 7, 9, generator=generator)
    return torch.nn.functional.interpolate(coarse, (256, 256), mode="bilinear", align_corners=True)


def disc(radius: float, *, frames: int = 1) -> Tensor:
    """A disc in the middle; radius 1 touches the picture's edges. Shape (frames, 1, 256, 256)."""
    places = torch.linspace(-1, 1, 256)
    inside = places[:, None] ** 2 + places**2 <= radius**2
    return inside.float().expand(frames, 1, -1, -1)


@pytest.fixture(scope="module")
def method() -> ShotGrade:
    loaded = load_method("shotgrade")
    assert isinstance(loaded, ShotGrade)
    return loaded


def untrained(**options: float | bool) -> ShotGrade:
    """Random weights that decide something for every picture."""
    torch.manual_seed(1)
    made = load_method("shotgrade", weights=None, **options)
    assert isinstance(made, ShotGrade)
    torch.nn.init.normal_(made.network.weights.weight, std=0.05)
    torch.nn.init.normal_(made.network.confidence.weight, std=1.0)
    return made


def run(method: ShotGrade, composite: Tensor, mask: Tensor, state: ShotState | None = None) -> tuple[Tensor, ShotState]:
    """Return the window's tables and the state. Shape (L, ...) each."""
    with torch.inference_mode():
        prediction = method(composite[None], mask[None], state)
    assert prediction.transform is not None
    return prediction.transform.parameters, prediction.state


def change_of(lut: Tensor) -> float:
    """Return how far tables move colours: root mean square over their nodes, in 8-bit levels."""
    size = lut.shape[-1]
    nodes = torch.linspace(0, 1, size)
    unit = torch.stack(torch.meshgrid(nodes, nodes, nodes, indexing="ij")[::-1])
    return 255 * float((lut - unit).square().mean().sqrt())


def slow_histogram(colors: Tensor, weight: Tensor, bins: int) -> np.ndarray:
    """A cube's histogram, pixel by pixel and corner by corner."""
    cube = np.zeros((bins,) * 3)
    total = float(weight.sum())
    for color, share in zip(colors.T.double().numpy(), weight.double().numpy(), strict=True):
        place = color * (bins - 1)
        low = np.minimum(place.astype(int), bins - 2)
        for corner in product((0, 1), repeat=3):
            parts = [p - base if side else 1 - (p - base) for p, base, side in zip(place, low, corner, strict=True)]
            cube[tuple(low + corner)] += share / total * np.prod(parts)
    return cube


def test_histograms_share_each_pixel_out_to_the_nodes_around_it() -> None:
    generator = torch.Generator().manual_seed(3)
    colors, weight = torch.rand(1, 3, 50, generator=generator), torch.rand(1, 1, 50, generator=generator)
    colors[0, :, 0], colors[0, :, 1] = 0, 1  # the ends of the range
    found = color_histograms(colors, weight)[0].square() - 1e-6
    cubes = found[: 2 * 6**3].view(2, 6, 6, 6)
    np.testing.assert_allclose(cubes[0], slow_histogram(colors[0], weight[0, 0], 6), atol=2e-6)
    np.testing.assert_allclose(cubes[1], slow_histogram(colors[0], 1 - weight[0, 0], 6), atol=2e-6)
    curves = found[2 * 6**3 :].view(2, 3, 16)
    torch.testing.assert_close(curves.sum(dim=-1), torch.ones(2, 3), atol=1e-4, rtol=0)
    for channel in range(3):
        mean = (curves[0, channel] * torch.linspace(0, 1, 16)).sum()  # sharing out keeps means
        expected = (colors[0, channel] * weight[0, 0]).sum() / weight.sum()
        torch.testing.assert_close(mean, expected, atol=1e-4, rtol=0)


def test_a_network_that_decides_nothing_changes_nothing() -> None:
    network = GradeNetwork().eval()
    torch.nn.init.zeros_(network.weights.weight)
    with torch.inference_mode():
        estimate = network(picture(), disc(0.5))
    assert change_of(estimate.lut) < 1e-4


def test_all_frames_of_the_first_window_get_the_mean_by_confidence() -> None:
    composite, mask = picture(frames=8), disc(0.5, frames=8)
    joint, _ = run(untrained(caution=0), composite, mask)
    assert torch.equal(joint[0].expand_as(joint), joint)
    single = untrained(per_frame=True)
    with torch.inference_mode():
        estimate = single.network(composite, mask)
    share = estimate.confidence / estimate.confidence.sum()
    expected = (estimate.lut * share[:, None, None, None, None]).sum(dim=0)
    torch.testing.assert_close(joint[0], expected, atol=1e-5, rtol=0)
    assert estimate.confidence.std() > 1e-3  # else the weights were not tried


def test_the_grade_is_decided_the_same_without_the_pixels(method: ShotGrade) -> None:
    composite, mask = picture(frames=8)[None], disc(0.5, frames=8)[None]
    with torch.inference_mode():
        whole, decided = method(composite, mask), method.decide(composite, mask)
    assert decided.harmonized is composite
    assert whole.transform is not None
    assert decided.transform is not None
    assert change_of(decided.transform.parameters) > 1
    assert torch.equal(whole.transform.parameters, decided.transform.parameters)
    assert torch.equal(whole.confidence, decided.confidence)


@pytest.mark.parametrize("caution", [0.0, 1.0, 4.0])
def test_caution_weakens_each_grade_by_the_odds_that_it_helps(caution: float) -> None:
    made = untrained(caution=caution, per_frame=True)
    with torch.inference_mode():
        estimate = made.network(picture(), disc(0.5))
    found, _ = run(made, picture(), disc(0.5))
    chance = float(estimate.confidence)
    expected = change_of(estimate.lut) / (1 + caution * (1 / chance - 1) ** 3)
    assert change_of(found) == pytest.approx(expected, rel=1e-3)


def test_without_any_evidence_nothing_is_applied_however_bold() -> None:
    for caution in (0.0, 4.0):
        found, _ = run(untrained(caution=caution, per_frame=True), picture(), torch.zeros_like(disc(0.5)))
        assert change_of(found) < 1e-6


@pytest.mark.parametrize("memory", [0.0, 0.5, 1.0])
def test_what_is_remembered_counts_by_confidence_and_fades(memory: float) -> None:
    made = untrained(memory=memory)
    mask = disc(0.5, frames=8)
    (first, state), (second, _) = run(made, picture(1, frames=8), mask), run(made, picture(2, frames=8), mask)
    alone = run(made, picture(2, frames=8), mask)[1]
    joined, _ = run(made, picture(2, frames=8), mask, state)
    kept, new = memory * float(state.weight), float(alone.weight)
    mean = (kept * first[0] + new * second[0]) / (kept + new)
    torch.testing.assert_close(joined[7], mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(joined[1], first[0] + (mean - first[0]) / 4, atol=1e-5, rtol=0)  # in equal steps


def test_a_frame_that_is_repeated_to_fill_a_window_counts_once() -> None:
    made = untrained()
    composite, mask = picture(frames=8), disc(0.5, frames=8)
    padded = composite.clone()
    padded[3:] = composite[2]
    _, state = run(made, padded, mask)
    with torch.inference_mode():
        estimate = untrained(per_frame=True, caution=0).network(composite[:3], mask[:3])
    torch.testing.assert_close(state.weight, estimate.confidence.sum()[None], atol=1e-5, rtol=0)


def test_frames_without_foreground_do_not_dilute_the_grade_of_the_others() -> None:
    made = untrained()
    composite, mask = picture(frames=8), disc(0.5, frames=8).clone()
    alone, _ = run(made, composite[:1].expand(8, -1, -1, -1), mask)
    mask[1:] = 0
    torch.testing.assert_close(run(made, composite, mask)[0], alone, atol=1e-5, rtol=0)


def test_the_exported_lattice_of_33_holds_the_same_map() -> None:
    made = untrained()
    with torch.inference_mode():
        transform = made(picture()[None].expand(1, 8, -1, -1, -1), disc(0.5, frames=8)[None]).transform
    assert transform is not None
    one = transform.with_parameters(transform.parameters[:1])
    colors = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(one.to_lut(33)(colors), one(colors), atol=1e-5, rtol=0)


def test_weights_of_something_else_are_refused_and_the_keys_named(tmp_path: Path) -> None:
    weights.save({"encoder.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"does not fit GradeNetwork .*stem.*unexpected: encoder\.weight"):
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

    def recolored(self) -> tuple[Tensor, Tensor, Tensor]:
        """A photograph whose person is too dark and too blue. Composite, mask, real, of one frame each."""
        photograph = read_photograph("astronaut.png")
        real, mask = (
            torch.nn.functional.interpolate(torch.from_numpy(each).permute(2, 0, 1)[None], (256, 256), mode="area")
            for each in (photograph, np.atleast_3d(cut_out(photograph)))
        )
        dark = (real**1.5) * torch.tensor([0.7, 0.85, 1.0])[:, None, None]
        return over(dark, real, mask), mask, real

    def test_a_dark_blue_foreground_comes_nearer_to_the_truth(self, name: str) -> None:
        composite, mask, real = self.recolored()
        method = self.load(name)
        with torch.inference_mode():
            harmonized = method(
                composite[None].expand(1, 8, -1, -1, -1), mask[None].expand(1, 8, -1, -1, -1)
            ).harmonized
        error = ((harmonized[0, 0] - real[0]) * mask[0]).square().sum()
        assert error < 0.8 * ((composite[0] - real[0]) * mask[0]).square().sum()

    @pytest.mark.parametrize("case", ["tiny mask", "tiny background", "night on night"])
    def test_without_evidence_a_grade_shrinks_towards_nothing(self, name: str, case: str) -> None:
        composite, mask, _ = self.recolored()
        method = self.load(name)
        full, _ = run(method, composite.expand(8, -1, -1, -1), mask.expand(8, -1, -1, -1))
        if case == "tiny mask":
            mask = disc(0.01)
        elif case == "tiny background":
            mask = 1 - disc(0.01)
        else:
            composite = 0.02 * composite
        weak, state = run(method, composite.expand(8, -1, -1, -1), mask.expand(8, -1, -1, -1))
        assert mask.sum() > 0
        assert change_of(weak[:1]) < 0.35 * change_of(full[:1])
        assert float(state.weight) / 8 < 0.35

    def test_a_second_pass_changes_less_than_the_first(self, name: str) -> None:
        composite, mask, _ = self.recolored()
        method = load_method(f"shotgrade:weights={name}:per_frame=true")
        with torch.inference_mode():
            once = method(composite[None], mask[None]).harmonized[0]
            twice = method(once[None], mask[None]).harmonized[0]
        moved = [
            float(((after - before) * mask).square().sum()) for before, after in ((composite, once), (once, twice))
        ]
        assert moved[1] < 0.25 * moved[0]
