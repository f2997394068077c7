"""Both stages of the paper: what their losses are, what trains, and that a tiny network learns two clips."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.flow.spynet import SPyNet
from chromacord.lab.layers.pictures import denormalize, normalize
from chromacord.lab.objectives.paper_stages import ClipsObjective, FramesObjective
from chromacord.lab.objectives.protocol import build_objective, check_objectives
from chromacord.lab.training import draws
from chromacord.lab.training.recipe import Recipe, read_recipe
from chromacord.methods import load_method
from tests.hyoutube_lookalike import LookAlike
from tests.lab.training.material import SIDE, stage_values, write_recipe
from tests.lab.training.runs import log_of, trained

FRAMES = {"objective": "harmonize_frames", "optimizer": "adam"}
CLIPS = {"objective": "harmonize_clips", "optimizer": "adam"}
NETWORK = {"flow": "none", "frames": 3}


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "_VALIDATION_LOOKS", 8)


@pytest.fixture(scope="session")
def hyoutube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of four frames to train on: those of the look-alike's first test video."""
    folder = LookAlike(tmp_path_factory.mktemp("hyoutube")).write()
    lines = (folder / "test_list.txt").read_text().splitlines()
    (folder / "train_frames.txt").unlink(missing_ok=True)
    (folder / "train_list.txt").write_text("\n".join(lines[:2]))
    return folder


def recipe_of(path: Path, *stages: dict[str, Any], layout: str = "photographs", **changed: Any) -> Path:
    recorded = {"layout": layout, "held_out": 0} if layout != "photographs" else {}
    data = {"side": SIDE, "num_validated": 6, **recorded, **changed.pop("data", {})}
    return write_recipe(path, *stages, method="chen2024", data=data, **{"network": NETWORK, **changed})


def objective_of(path: Path, stage: dict[str, Any], data: Path, **changed: Any) -> FramesObjective:
    recipe = read_recipe(recipe_of(path / "r.toml", stage_values(**stage), **changed))
    check_objectives(recipe)
    made = build_objective(recipe, recipe.stages[0], data)
    assert isinstance(made, FramesObjective)
    return made


def moved(module: nn.Module) -> nn.Module:
    """Move what starts from zero, so that stage 2 is not stage 1."""
    with torch.no_grad():
        for value in module.parameters():
            if not value.any():
                value.normal_(std=0.05)
    return module


def test_stage_one_is_the_foreground_normalised_error_of_whole_pictures(data: Path, tmp_path: Path) -> None:
    """By the formula of Sofiiuk et al. 2021, A_min of 1000 pixels at 256 x 256, which is 15.625 at 32 x 32."""
    made = objective_of(tmp_path, FRAMES, data)
    batch = ClipBatch(*made.batch(4, 7))
    mask = batch.mask.clone()
    mask[1] = 0
    mask[2, ..., :1, :3] = 1
    mask[2, ..., 1:, :] = 0
    made.module.eval()
    loss, figures = made.loss(made.module, ClipBatch(batch.composite, mask, batch.real))
    picture = made.module(batch.composite, mask, stage=1)
    squared = (picture - normalize(batch.real.flatten(0, 1)).view_as(picture)).square().sum(dim=(1, 2, 3, 4))
    area = mask.sum(dim=(1, 2, 3, 4)).clamp_min(1000 * SIDE**2 / 256**2)
    torch.testing.assert_close(loss, (squared / (3 * area)).mean())
    assert figures["loss"] == loss


@pytest.mark.parametrize("region", ["frame", "foreground"])
def test_stage_two_is_the_absolute_error_of_frames_laid_over_their_background(
    data: Path, tmp_path: Path, region: str
) -> None:
    options = {"train_image": True, "region": region}
    made = objective_of(tmp_path, {**CLIPS, "options": options}, data)
    moved(made.module).eval()
    batch = ClipBatch(*made.batch(2, 7))
    assert batch.composite.shape == (2, 3, 3, SIDE, SIDE)
    error = (made.module(batch.composite, batch.mask, stage=2) - batch.real).abs()
    area = 3 * batch.mask.sum(dim=(2, 3, 4)).clamp_min(1000 / 64)
    expected = error.mean() if region == "frame" else (error.sum(dim=(2, 3, 4)) / area).mean()
    torch.testing.assert_close(made.loss(made.module, batch)[0], expected)


def test_a_network_whose_middle_frame_comes_out_learns_that_one(data: Path, tmp_path: Path) -> None:
    network = {**NETWORK, "output": "centre"}
    made = objective_of(tmp_path, {**CLIPS, "options": {"train_image": True}}, data, network=network)
    moved(made.module).eval()
    batch = ClipBatch(*made.batch(2, 7))
    error = (made.module(batch.composite, batch.mask, stage=2)[:, 0] - batch.real[:, 1]).abs()
    torch.testing.assert_close(made.loss(made.module, batch)[0], error.mean())
    assert made.validate(made.module)["fmse"] > 0


@pytest.mark.parametrize("head", ["plain", "fusion"])
def test_all_that_is_trained_is_reached_whatever_the_head(data: Path, tmp_path: Path, head: str) -> None:
    """Several processes wait for the gradients of all that has `requires_grad`."""
    made = objective_of(tmp_path, {**CLIPS, "options": {"train_image": True}}, data, network={**NETWORK, "head": head})
    moved(made.module).train()
    made.loss(made.module, made.batch(2, 1))[0].backward()  # type: ignore[no-untyped-call]
    parameters = dict(made.module.named_parameters())
    assert [name for name, value in parameters.items() if value.requires_grad and value.grad is None] == []
    assert {name.rsplit(".", 1)[0] for name, value in parameters.items() if not value.requires_grad} == {
        "image.head.share",
        "image.head.color",
    }


def test_the_middle_of_an_even_window_is_the_one_that_comes_out_when_it_is_used(data: Path, tmp_path: Path) -> None:
    network = {**NETWORK, "frames": 4, "output": "centre"}
    made = objective_of(tmp_path, {**CLIPS, "options": {"train_image": True}}, data, network=network)
    moved(made.module).eval()
    batch = ClipBatch(*made.batch(1, 7))
    weight_files.save(made.module.state_dict(), tmp_path / "w.safetensors")
    made.module.load_state_dict(weight_files.state_dict(tmp_path / "w.safetensors"))
    method = load_method("chen2024", weights=str(tmp_path / "w.safetensors"), working_side=SIDE, **network)
    assert tuple(method.window) == (1, 1, 2)
    with torch.inference_mode():
        trained_on = made.module(batch.composite, batch.mask, stage=2)
        used = method(batch.composite, batch.mask).harmonized
        torch.testing.assert_close(trained_on.clamp(0, 1), used, atol=1e-5, rtol=0)
        error = (trained_on - batch.real[:, 1:2]).abs().mean()
        torch.testing.assert_close(made.loss(made.module, batch)[0], error)
    assert made.validate(made.module)["fmse"] > 0


def test_each_stage_trains_its_part_and_no_other(data: Path, tmp_path: Path) -> None:
    for stage, options, parts in (
        (FRAMES, {}, {"image"}),
        (CLIPS, {"train_image": True}, {"image", "temporal"}),
    ):
        made = objective_of(tmp_path, {**stage, "options": options}, data)
        moved(made.module).train()
        made.loss(made.module, made.batch(4, 1))[0].backward()  # type: ignore[no-untyped-call]
        reached = {
            name for name, value in made.module.named_parameters() if value.grad is not None and value.grad.any()
        }
        expected = {name for name, _ in made.module.named_parameters() if name.split(".")[0] in parts}
        assert {name for name in expected ^ reached if not name.endswith("phi.bias")} == set()


def test_two_stages_in_one_run_freeze_the_first_and_start_where_it_ended(data: Path, tmp_path: Path) -> None:
    stages = [stage_values(**each, steps=3, cooldown=0, average=0.0, warmup=0) for each in (FRAMES, CLIPS)]
    one = trained(recipe_of(tmp_path / "one.toml", stages[0]), data, tmp_path / "one")
    two = trained(recipe_of(tmp_path / "two.toml", *stages), data, tmp_path / "two")
    first, second = (weight_files.state_dict(result.weights) for result in (one, two))
    assert {key for key in second if not torch.equal(first[key], second[key])} == {
        key for key in second if key.startswith("temporal.")
    }
    validations = log_of(tmp_path / "two", "validate")
    assert validations[0]["fmse"] > 0
    loaded = load_method("chen2024", weights=str(two.weights), working_side=SIDE, **NETWORK)
    frames, mask = torch.rand(1, 3, 3, SIDE, SIDE), torch.zeros(1, 3, 1, SIDE, SIDE)
    mask[..., 8:20, 8:20] = 1
    with torch.inference_mode():
        assert loaded(frames, mask).harmonized.shape == (1, 1, 3, SIDE, SIDE)


def test_a_run_of_stage_two_starts_from_the_weights_of_a_run_of_stage_one(data: Path, tmp_path: Path) -> None:
    short = {"steps": 2, "cooldown": 0, "average": 0.0}
    alone = recipe_of(tmp_path / "one.toml", stage_values(**FRAMES, **short), network={"stage": 1})
    one = trained(alone, data, tmp_path / "one")
    assert all(key.startswith("image.") for key in weight_files.state_dict(one.weights))
    after = recipe_of(tmp_path / "two.toml", stage_values(**CLIPS, **short), start=str(one.weights))
    two = weight_files.state_dict(trained(after, data, tmp_path / "two").weights)
    assert all(torch.equal(value, two[key]) for key, value in weight_files.state_dict(one.weights).items())


def test_a_run_that_goes_on_ends_with_the_same_bytes(data: Path, tmp_path: Path) -> None:
    """Stopped in stage 2, whose frozen part and optimizer are restored from the checkpoint."""
    first = stage_values(**FRAMES, steps=2, cooldown=0)
    second = stage_values(**CLIPS, steps=4, cooldown=0)
    whole = trained(recipe_of(tmp_path / "whole.toml", first, second), data, tmp_path / "whole")
    trained(recipe_of(tmp_path / "part.toml", first, {**second, "steps": 2}), data, tmp_path / "part")
    gone_on = trained(recipe_of(tmp_path / "part.toml", first, second), data, tmp_path / "part")
    assert gone_on.sha256 == whole.sha256


SPYNET = {"flow": "spynet", "frames": 3}


def flow_file(path: Path, *, is_published: bool = False) -> dict[str, Tensor]:
    """Write weights of SPyNet; return them by our names."""
    torch.manual_seed(3)
    state = moved(SPyNet()).state_dict()
    if is_published:
        names = {key: key.split(".", 2) for key in state}
        torch.save({f"basic_module.{n[1]}.basic_module.{n[2]}": state[key] for key, n in names.items()}, path)
    else:
        weight_files.save(state, path)
        state = weight_files.state_dict(path)
    return state


def same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, part: str = "flow.") -> set[bool]:
    """Return whether tensors of a part are those expected, at the precision of a file of weights."""
    return {torch.equal(found[part + key], value.half().float()) for key, value in expected.items()}


@pytest.mark.parametrize("is_published", [False, True])
def test_the_second_stage_begins_with_the_weights_of_flow_that_it_names(
    data: Path, tmp_path: Path, is_published: bool
) -> None:
    """What the first stage hands over holds random ones. Killed in either stage, the run ends with the same bytes."""
    path = tmp_path / ("spynet.pth" if is_published else "spynet.safetensors")
    expected = flow_file(path, is_published=is_published)
    first = stage_values(**FRAMES, steps=2, cooldown=0)
    second = stage_values(**CLIPS, steps=2, cooldown=0, save_every=1, options={"flow_weights": str(path)})
    recipe = recipe_of(tmp_path / "r.toml", first, second, network=SPYNET)
    whole = trained(recipe, data, tmp_path / "whole")
    assert same(weight_files.state_dict(whole.weights), expected) == {True}
    for stages in ((first,), (first, {**second, "steps": 1})):
        part = tmp_path / f"part{len(stages)}"
        trained(recipe_of(tmp_path / "part.toml", *stages, network=SPYNET), data, part)
        assert trained(recipe, data, part).sha256 == whole.sha256


def test_weights_of_flow_that_are_named_count_for_more_than_those_of_the_start(data: Path, tmp_path: Path) -> None:
    expected = flow_file(tmp_path / "spynet.safetensors")
    short = {"steps": 1, "cooldown": 0}
    one = trained(
        recipe_of(tmp_path / "one.toml", stage_values(**FRAMES, **short), network=SPYNET), data, tmp_path / "1"
    )
    assert same(weight_files.state_dict(one.weights), expected) != {True}
    stage = stage_values(**CLIPS, **short, options={"flow_weights": str(tmp_path / "spynet.safetensors")})
    two = recipe_of(tmp_path / "two.toml", stage, network=SPYNET, start=str(one.weights))
    assert same(weight_files.state_dict(trained(two, data, tmp_path / "2").weights), expected) == {True}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"flow_weights": "other"}, r"stage 2 \[stage\.options\]: flow_weights: there are no weights 'other'"),
        ({"flow_weights": "none.pth"}, r"stage 2 \[stage\.options\]: flow_weights: none\.pth: no such file"),
    ],
)
def test_weights_of_flow_that_are_not_there_are_missed_before_the_first_stage(
    data: Path, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    stages = stage_values(**FRAMES, steps=1, cooldown=0), stage_values(**CLIPS, options=options)
    with pytest.raises(InputError, match=said) as caught:
        trained(recipe_of(tmp_path / "r.toml", *stages, network=SPYNET), data, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flow", ["spynet", "spynet-random"])
def test_flow_is_trained_where_the_recipe_says_so_and_nowhere_else(data: Path, tmp_path: Path, flow: str) -> None:
    """Table 2, row 4, against the other rows."""
    is_random = flow == "spynet-random"
    if not is_random:
        flow_file(tmp_path / "spynet.safetensors")
    options = {"train_flow": True} if is_random else {"flow_weights": str(tmp_path / "spynet.safetensors")}
    one = trained(recipe_of(tmp_path / "one.toml", stage_values(**FRAMES, steps=1, cooldown=0)), data, tmp_path / "1")
    stage = stage_values(**CLIPS, steps=3, cooldown=0, warmup=0, average=0.0, options=options)
    recipe = recipe_of(tmp_path / "r.toml", stage, network={**SPYNET, "flow": flow}, start=str(one.weights))
    read = read_recipe(recipe)
    before = build_objective(read, read.stages[0], data).module.state_dict()
    images = {key: value for key, value in weight_files.state_dict(one.weights).items() if key.startswith("image.")}
    after = weight_files.state_dict(trained(recipe, data, tmp_path / "2").weights)
    assert same(after, images, part="") == {True}
    changed = {
        key.split(".")[2] for key, value in before.items() if key.startswith("flow.") and differ(after[key], value)
    }
    assert changed == ({"0", "1", "2", "3", "4", "5"} if is_random else set())


@pytest.mark.parametrize(("levels", "trained_levels"), [(6, 6), (2, 2), ("auto", 1)])
def test_levels_of_flow_that_frames_do_not_use_are_frozen(
    data: Path, tmp_path: Path, levels: int | str, trained_levels: int
) -> None:
    """Several processes wait for every gradient that is to come."""
    one = trained(recipe_of(tmp_path / "one.toml", stage_values(**FRAMES, steps=1, cooldown=0)), data, tmp_path / "1")
    stage = stage_values(**CLIPS, options={"train_flow": True})
    network = {**SPYNET, "flow": "spynet-random", "flow_levels": levels}
    read = read_recipe(recipe_of(tmp_path / "r.toml", stage, network=network, start=str(one.weights)))
    flow = build_objective(read, read.stages[0], data).module.flow
    assert isinstance(flow, SPyNet)
    learning = [{each.requires_grad for each in level.parameters()} for level in flow.levels]
    assert learning == [{number < trained_levels} for number in range(6)]


def differ(found: Tensor, value: Tensor) -> bool:
    return not torch.equal(found, value.half().float())


def test_weights_to_start_from_must_belong_to_the_network(data: Path, tmp_path: Path) -> None:
    weight_files.save({"stem.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    recipe = recipe_of(tmp_path / "r.toml", stage_values(**CLIPS), start=str(tmp_path / "other.safetensors"))
    with pytest.raises(InputError, match=r"other\.safetensors: is not part of Chen2024Network: has stem\.weight"):
        trained(recipe, data, tmp_path / "run")


def test_half_of_a_part_to_start_from_is_refused(data: Path, tmp_path: Path) -> None:
    one = trained(recipe_of(tmp_path / "one.toml", stage_values(**FRAMES, steps=1, cooldown=0)), data, tmp_path / "1")
    state = weight_files.state_dict(one.weights)
    lost = sorted(key for key in state if key.startswith("image."))[:4]
    weight_files.save({key: tensor for key, tensor in state.items() if key not in lost}, tmp_path / "half.safetensors")
    recipe = recipe_of(tmp_path / "r.toml", stage_values(**CLIPS), start=str(tmp_path / "half.safetensors"))
    with pytest.raises(InputError, match=r"half\.safetensors: is not part of Chen2024Network: lacks image\."):
        trained(recipe, data, tmp_path / "run")


def test_two_clips_are_learned(hyoutube: Path, tmp_path: Path) -> None:
    """FN-MSE of stage 1 is halved, and the foregrounds come nearer to the truth than the composites are."""
    stage = stage_values(
        **FRAMES, steps=60, batch=4, learning_rate=1e-3, cooldown=20, average=0.0, validate_every=60, save_every=60
    )
    recipe = recipe_of(tmp_path / "r.toml", stage, layout="hyoutube", network={"stage": 1})
    result = trained(recipe, hyoutube, tmp_path / "run")
    losses = [line["loss"] for line in log_of(tmp_path / "run", "train")]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    made = objective_of(tmp_path, FRAMES, hyoutube, layout="hyoutube", network={"stage": 1})
    weight_files.load_into(made.module, result.weights)
    clips = ClipBatch(*made.batch(16, 1))
    with torch.inference_mode():
        harmonized = denormalize(made.module.eval()(clips.composite, clips.mask, stage=1).flatten(0, 1))
    after, before = (
        float((clips.mask * (frames - clips.real)).square().mean())
        for frames in (harmonized.view_as(clips.real), clips.composite)
    )
    assert after < before
    assert result.data == {"clips": 8}
    assert result.validation == {}


def test_issam_learns_by_the_same_objective(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(
        tmp_path / "r.toml",
        stage_values(**FRAMES, steps=2, cooldown=0),
        method="issam",
        network={},
        data={"side": SIDE, "num_validated": 2},
    )
    result = trained(recipe, data, tmp_path / "run")
    assert list(result.validation) == ["fmse", "composite_fmse", "ratio"]
    load_method("issam", weights=str(result.weights))


def test_figures_of_a_validation_are_those_of_the_composites_where_nothing_is_done(data: Path, tmp_path: Path) -> None:
    made = objective_of(tmp_path, {**CLIPS, "options": {"train_image": True}}, data)
    assert isinstance(made, ClipsObjective)

    class Nothing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, composite: Tensor, mask: Tensor, *, stage: int) -> Tensor:
            return composite

    figures = made.validate(Nothing())
    assert figures["fmse"] == figures["composite_fmse"] > 0
    assert figures["ratio"] == 1


def test_a_batch_depends_on_its_seed_alone(data: Path, hyoutube: Path, tmp_path: Path) -> None:
    for layout, folder in (("photographs", data), ("hyoutube", hyoutube)):
        made = objective_of(tmp_path, {**CLIPS, "options": {"train_image": True}}, folder, layout=layout)
        one, other, same = made.batch(3, 1), made.batch(3, 2), made.batch(3, 1)
        assert all(torch.equal(*pair) for pair in zip(one, same, strict=True))
        assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize(
    ("stage", "changed", "said"),
    [
        (FRAMES, {"network": {"levels": 2}}, r"\[network\]: method 'chen2024' has no option 'levels'"),
        (FRAMES, {"network": {"q": "wide"}}, r"\[network\]: method 'chen2024': the option 'q' cannot be 'wide'"),
        (FRAMES, {"network": {"nonlocal_levels": 9}}, r"\[network\]: nonlocal_levels must lie in 0\.\.3"),
        (FRAMES, {"network": {"hop": 2}}, r"\[network\]: hop does not affect training"),
        (FRAMES, {"data": {"side": 0}}, r"\[data\]: side must lie in 1..4096"),
        (FRAMES, {"data": {"layout": "davis"}}, r"layout must be one of photographs, hyoutube, iharmony4"),
        ({**FRAMES, "options": {"least_area": 0}}, {}, r"least_area must be above 0"),
        ({**FRAMES, "options": {"train_image": True}}, {}, r"train_image is not known"),
        (CLIPS, {}, r"stage 1: needs a network trained on single frames; give the weights .* with --start"),
        (
            {**CLIPS, "options": {"flow_weights": "a.pth", "train_image": True}},
            {},
            r"\[stage\.options\]: flow_weights are for flow = 'spynet' in \[network\]",
        ),
        ({**CLIPS, "options": {"flow_weights": 3}}, {}, r"flow_weights must be text, got 3"),
        (
            {**CLIPS, "options": {"train_image": True}},
            {"network": {**NETWORK, "frames": 1}},
            r"\[network\]: windows need frames = 2 or more to learn from neighbours, got 1",
        ),
        (
            {**CLIPS, "options": {"train_image": True}},
            {"network": {**NETWORK, "frames": 2, "output": "centre"}},
            r"windows need frames = 3 or more",
        ),
        (CLIPS, {"network": {"stage": 1}}, r"only chen2024 with stage 2 learns windows"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    tmp_path: Path, stage: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    recipe = read_recipe(recipe_of(tmp_path / "r.toml", stage_values(**stage), **changed))
    with pytest.raises(InputError, match=said) as caught:
        check_objectives(recipe)
    assert "\n" not in str(caught.value)


def test_other_methods_are_not_trained_by_these_objectives(tmp_path: Path) -> None:
    for method in ("shotgrade", "mkl"):
        recipe: Recipe = read_recipe(write_recipe(tmp_path / "r.toml", stage_values(**FRAMES), method=method))
        with pytest.raises(InputError, match=f"'harmonize_frames' trains issam or chen2024, not '{method}'"):
            check_objectives(recipe)
    recipe = read_recipe(write_recipe(tmp_path / "r.toml", stage_values(**CLIPS), method="issam", network={}))
    with pytest.raises(InputError, match="only chen2024 with stage 2 learns windows"):
        check_objectives(recipe)
