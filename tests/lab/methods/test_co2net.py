"""CO2Net against a second implementation on published names, its authors' counts, and invalid options."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from chromacord.analysis.windows import windows
from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.methods.backbone import BackboneFrames
from chromacord.lab.methods.co2net import CO2Net
from chromacord.lab.methods.issam import ISSAM
from chromacord.lab.networks.co2net_network import Refinement
from chromacord.lab.training.importing import import_published
from chromacord.methods import load_method
from chromacord.methods.base import Method
from tests.lab.methods import published_issam, published_pix2pix
from tests.lab.methods.published_co2net import Published, refinement

SIDE = 32


def video(num_frames: int = 11) -> tuple[Tensor, Tensor]:
    """Return pictures that change from frame to frame, and soft masks. Shape (T, 3 or 1, 32, 32)."""
    generator = torch.Generator().manual_seed(6)
    coarse = torch.rand(num_frames, 3, 4, 5, generator=generator)
    coarse = 0.3 * coarse + 0.7 * coarse[:1]
    pictures = torch.nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear", align_corners=True)
    rows, columns = torch.linspace(-1, 1, SIDE)[:, None], torch.linspace(-1, 1, SIDE)
    shift = torch.linspace(-0.3, 0.3, num_frames)[:, None, None]
    return pictures, (6 * (0.5 - ((rows - shift) ** 2 + (columns + shift) ** 2).sqrt())).clamp(0, 1)[:, None]


def saved(path: Path, state: object) -> str:
    torch.save(state, path)
    return str(path)


def files(folder: Path, num_features: int = 32) -> dict[str, str]:
    """Write published checkpoints of refinement and backbone; return the options that name them."""
    return {
        "weights": saved(folder / "refine.pth", refinement(num_features)),
        "backbone_weights": saved(folder / "issam.pth", published_issam.checkpoint()),
    }


@torch.inference_mode()
def harmonized(method: Method, composite: Tensor, mask: Tensor) -> Tensor:
    """Run a method over a video as the pipeline does. Shape (T, 3, H, W)."""
    out, state = [], None
    for window in windows(list(zip(composite, mask, strict=True)), method.window):
        frames, weight = (torch.stack(each)[None] for each in zip(*window.items, strict=True))
        prediction = method(frames, weight, state)
        state = prediction.state
        out.append(prediction.harmonized[0, : len(window.hop)])
    return torch.cat(out)


@pytest.mark.parametrize(("num_features", "count"), [(32, 59_396), (128, 114_692), (0, 40_964)])
def test_the_refinement_has_as_many_parameters_as_the_authors(num_features: int, count: int) -> None:
    assert sum(value.numel() for value in Refinement(num_features).parameters()) == count


def test_the_whole_has_as_many_parameters_as_the_authors() -> None:
    assert sum(value.numel() for value in CO2Net(None).parameters()) == 2_244_736


@pytest.mark.parametrize(
    ("options", "num_frames"),
    [
        ({}, 1),
        ({}, 20),
        ({"hop": 4}, 11),
        ({"features": False}, 3),
        ({"normalized_composite": True}, 3),
    ],
)
def test_every_frame_of_a_video_is_what_the_published_code_gives(
    tmp_path: Path, options: dict[str, Any], num_frames: int
) -> None:
    composite, mask = video(num_frames)
    num_features = 32 if options.get("features", True) else 0
    method = load_method("co2net", **files(tmp_path, num_features), working_side=SIDE, **options)
    published = Published(
        refinement(num_features),
        published_issam.checkpoint(),
        composite,
        mask,
        is_composite_normalized="normalized_composite" in options,
    )
    expected = published.frames().clamp(0, 1)
    assert (expected - composite).abs().mean() > 0.005
    torch.testing.assert_close(harmonized(method, composite, mask), expected, atol=1e-4, rtol=0)


def test_with_rainnet_it_is_what_the_published_code_gives_too() -> None:
    """At 256 x 256, which RainNet requires; its features are twice as large as the map that they are computed from."""
    refine, backbone = refinement(128), published_pix2pix.checkpoint(published_pix2pix.rainnet_shapes(3))
    state = {f"refine_network.{key}": value for key, value in refine.items()}
    state |= {f"backbone.{key}": value for key, value in backbone.items()}
    method = CO2Net(None, backbone="rainnet").eval()
    method.network.load_state_dict(CO2Net.from_published(state))
    small, _ = video(2)
    composite = torch.nn.functional.interpolate(small, (256, 256), mode="bilinear", align_corners=True)
    mask = torch.zeros(2, 1, 256, 256)
    mask[0, :, 100:120, 90:110] = mask[1, :, 105:125, 95:115] = 1
    mask[:, :, 110] *= 0.4
    expected = Published(refine, backbone, composite, mask).frames().clamp(0, 1)
    torch.testing.assert_close(harmonized(method, composite, mask), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("hop", [1, 3])
def test_each_frame_passes_the_backbone_once(monkeypatch: pytest.MonkeyPatch, hop: int) -> None:
    seen: list[Tensor] = []
    look = ISSAM.look

    def counted(self: ISSAM, composite: Tensor, mask: Tensor) -> BackboneFrames:
        seen.append(composite)
        return look(self, composite, mask)

    monkeypatch.setattr(ISSAM, "look", counted)
    composite, mask = video(21)
    harmonized(CO2Net(None, hop=hop, working_side=SIDE).eval(), composite, mask)
    assert len(seen) == 21
    seen.clear()
    still = composite[:1].expand(21, -1, -1, -1), mask[:1].expand(21, -1, -1, -1)
    harmonized(CO2Net(None, hop=hop, working_side=SIDE).eval(), *still)
    assert len(seen) == 1


def test_a_frame_that_comes_back_is_harmonized_as_it_was_the_first_time() -> None:
    """Its features are gone after its turn, its colours are not."""
    composite, mask = video(9)
    order = [*range(9), *range(8, -1, -1)] * 2
    method = CO2Net(None, working_side=SIDE).eval()
    found = harmonized(method, composite[order], mask[order])
    assert found.isfinite().all()
    torch.testing.assert_close(found[17], found[18], atol=1e-6, rtol=0)


def test_a_state_of_another_clip_does_no_harm() -> None:
    composite, mask = video(17)
    method = CO2Net(None, working_side=SIDE).eval()
    with torch.inference_mode():
        other = method(composite.flip(-1)[None], mask.flip(-1)[None]).state
        found = method(composite[None], mask[None], other).harmonized
        assert torch.equal(found, method(composite[None], mask[None]).harmonized)


@pytest.mark.parametrize("layout", ["bare", "prefixed", "whole"])
def test_checkpoints_of_all_layouts_are_imported(tmp_path: Path, layout: str) -> None:
    refine, backbone = refinement(), published_issam.checkpoint()
    state = refine if layout == "bare" else {f"refine_network.{key}": value for key, value in refine.items()}
    if layout == "whole":
        state |= {f"backbone.{key}": value for key, value in backbone.items()}
    options = files(tmp_path)
    expected = load_method("co2net", **options).state_dict()
    options["weights"] = saved(tmp_path / "given.pth", state)
    if layout == "whole":
        del options["backbone_weights"]
    found = load_method("co2net", **options).state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.items())


@pytest.mark.parametrize(
    ("num_features", "has_backbone", "needed"),
    [
        (32, False, ":backbone_weights=FILE"),
        (128, False, ":backbone=rainnet:backbone_weights=FILE"),
        (0, False, ":features=false:backbone_weights=FILE"),
        (32, True, ""),
    ],
)
def test_an_import_says_with_which_options_the_weights_are_used(
    tmp_path: Path, num_features: int, has_backbone: bool, needed: str
) -> None:
    state = refinement(num_features)
    if has_backbone:
        state |= {f"backbone.{key}": value for key, value in published_issam.checkpoint().items()}
    made = import_published("co2net", Path(saved(tmp_path / "refine.pth", state)))
    assert made.use == f"--method co2net:weights={made.weights}{needed}"
    if "rainnet" not in needed:  # for want of its large checkpoint
        saved(tmp_path / "issam.pth", published_issam.checkpoint())
        spec = made.use.removeprefix("--method ").replace("FILE", str(tmp_path / "issam.pth"))
        assert load_method(spec).state_dict().keys() == CO2Net(None, features=num_features > 0).state_dict().keys()


def test_weights_of_our_own_training_hold_the_backbone_too(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    weight_files.save(CO2Net(None).network.state_dict(), path)
    load_method("co2net", weights=str(path))
    with pytest.raises(InputError, match=r"own.safetensors: already holds its backbone's weights; omit backbone_w"):
        load_method("co2net", weights=str(path), backbone_weights=files(tmp_path)["backbone_weights"])


def test_a_refinement_of_another_backbone_is_refused(tmp_path: Path) -> None:
    options = files(tmp_path, 128)
    said = (
        "refine.pth: its refinement takes 134 channels, and gets 38 with the backbone issam and features=true; give "
        "the options that it was trained with"
    )
    with pytest.raises(InputError, match=said) as refused:
        load_method("co2net", **options)
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match=r"takes 38 channels, and gets 6 with the backbone issam and features=false"):
        load_method("co2net", **files(tmp_path), features=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"backbone_weights": None},
            r"refine.pth: holds only a refinement; give backbone_weights too, those of issam",
        ),
        ({"weights": "issam.pth"}, r"issam.pth: does not fit Refinement \(missing: refine_block\.0\.weight"),
        ({"backbone_weights": "refine.pth"}, r"refine.pth: does not fit HarmonizationNetwork"),
        ({"backbone_weights": "none.pth"}, r"none.pth: no such file"),
        ({"weights": "own.safetensors"}, r"own.safetensors: does not fit CO2NetNetwork \(missing: backbone"),
        ({"hop": 0}, "hop must be 1 or more, got 0"),
        ({"working_side": 0}, "working_side must be 1 or more, got 0"),
        ({"backbone": "rainnet"}, r"issam.pth: .*does not fit Pix2PixUNet"),
        ({"backbone": "rainnet", "working_side": 64}, "working_side must be a multiple of 256, got 64"),
        ({"backbone": "swan"}, "the option 'backbone' cannot be 'swan'"),
    ],
)
def test_what_does_not_belong_together_is_one_line(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {**files(tmp_path), **options}
    weight_files.save({"stem": torch.zeros(1)}, tmp_path / "own.safetensors")
    for name in ("weights", "backbone_weights"):
        given[name] = given[name] and str(tmp_path / Path(given[name]).name)
    with pytest.raises(InputError, match=said) as refused:
        load_method("co2net", **given)
    assert "\n" not in str(refused.value)


def test_a_window_of_another_length_is_refused() -> None:
    composite, mask = video(5)
    with pytest.raises(InputError, match="a window of co2net has 17 frames, got 5; repeat the first"):
        CO2Net(None)(composite[None], mask[None])


def test_a_frozen_backbone_stays_in_evaluation_mode_and_gets_no_gradient() -> None:
    network = CO2Net(None).network
    network.backbone.requires_grad_(requires_grad=False)
    network.train()
    assert network.refinement.training
    assert not any(module.training for module in network.backbone.modules())
    composite, mask = video(17)
    before = {key: value.clone() for key, value in network.backbone.state_dict().items()}
    network(composite[None], mask[None]).sum().backward()
    assert all(value.grad is not None and value.grad.any() for value in network.refinement.parameters())
    assert all(value.grad is None for value in network.backbone.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.backbone.state_dict().items())
