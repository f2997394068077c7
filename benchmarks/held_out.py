"""What weights of ShotGrade leave of the error on composites whose pictures and LUTs the free weights never saw.

Weights are chosen by these figures, never by dev clips, dev LUTs or real pairs, which only judge the choice. Composites
are made as in training, one kind of change at a time.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab import weight_files
from chromacord.lab.bench.fresh_process import Report
from chromacord.lab.bench.provenance import provenance
from chromacord.lab.color.lut3d import apply_lut3d
from chromacord.lab.composites.augment import Augmentation, CompositeBatch, CompositeMaker
from chromacord.lab.composites.changes import ChangeShares
from chromacord.lab.composites.photographs import Photographs, load_photographs
from chromacord.lab.data.luts import read_luts
from chromacord.lab.objectives.calibration import Measured, calibrated, reliability
from chromacord.methods.shotgrade import ShotGrade, ShotState

SETS = ("still/ecssd", "still/grabcut", "still/human_seg", "still/weizmann_horse", "still/coco128", "video/davis_")
"""Starts of the names of clips whose licences keep them out of the free weights."""

LUTS, LUT_STEP = "luts/train.zip", 5
"""Every fifth LUT is held out by `recipes/shotgrade.toml`."""

SIDE = 256
_BATCH = 32


def _only(kind: str, **others: float) -> ChangeShares:
    """Return shares with which all changes are of one kind."""
    none = dict.fromkeys(("lut", "look", "adjustment", "transfer", "both", "neither"), 0.0)
    return ChangeShares(**{**none, kind: 1.0, **others})


KINDS: Mapping[str, ChangeShares] = {
    "lut": _only("lut"),
    "transfer": _only("transfer"),
    "adjustment": _only("adjustment"),
    "scene": _only("scene"),
    "pasted": _only("scene"),
    "unchanged": _only("lut", neither=1.0, inverse=0.0, inverse_lut=0.0, inverse_scene=0.0),
}
"""Changes of each kind of composite; "pasted" are scenes whose foreground comes from another picture."""


@dataclass(frozen=True)
class Setting:
    """What to draw."""

    data: Path
    """Folder of the training data, with a manifest.csv."""

    count: int = 192
    """Number of composites of each kind."""

    seed: int = 0


class Judged(NamedTuple):
    """One weights' results on composites of one kind, as mean squared errors in [0, 1]. Shape (N,) each."""

    composite: Tensor
    result: Tensor
    measured: Measured
    """Of the change before its strength."""


def measure_held_out(setting: Setting, weights: Sequence[str], *, calibrate: Path | None = None) -> Report:
    """Measure weights on the same composites.

    Args:
        setting: what to draw.
        weights: names of shipped weights, or .safetensors files.
        calibrate: write the first weights to this file with confidence fitted to these composites. Strength stays.

    Raises:
        InputError: the pictures or LUTs are missing, or weights do not fit.
    """
    composites = draw_composites(setting)
    rows = {}
    for number, name in enumerate(weights):
        judged = {kind: judge(ShotGrade(name), batches) for kind, batches in composites.items()}
        rows[name] = figures(judged)
        state = weight_files.state_dict(name)
        measured = Measured(*map(torch.cat, zip(*(each.measured for each in judged.values()), strict=True)))
        if calibrate is not None and not number:
            # Strength as it is applied by default: caution shifts the first coefficient.
            shift = torch.tensor([math.log(ShotGrade(name).caution), 0.0, 0.0])
            row = calibrated(measured, strength=state["calibration"][0] - shift)[1]
            state["calibration"] = torch.stack([state["calibration"][0], row])
            weight_files.save(state, calibrate)
        rows[name]["confidence"] = reliability(measured, state["calibration"].float())
    return {**provenance(), "sets": list(SETS), "count": setting.count, "seed": setting.seed, "weights": rows}


def draw_composites(setting: Setting) -> dict[str, list[CompositeBatch]]:
    """Draw the composites of each kind.

    Raises:
        InputError: the pictures or LUTs are missing.
    """
    pictures = _pictures(setting.data)
    luts = list(read_luts(setting.data / LUTS).values())[::LUT_STEP]
    drawn = {}
    for kind, shares in KINDS.items():
        augmentation = Augmentation(
            enhanced_share=0.85,
            enhanced_look_share=0.2,
            relit_share=0.0,
            foreign_mask_share=0.0,
            inverted_share=0.0,
            pasted_share=float(kind == "pasted"),
            num_looks=1,
        )
        maker = CompositeMaker(pictures, luts, augmentation, changes=shares, side=SIDE, seed=setting.seed)
        generator = torch.Generator().manual_seed(setting.seed)
        sizes = [min(_BATCH, setting.count - first) for first in range(0, setting.count, _BATCH)]
        drawn[kind] = [maker.draw(size, generator) for size in sizes]
    return drawn


def judge(method: ShotGrade, batches: Sequence[CompositeBatch]) -> Judged:
    """Return a method's errors on the foregrounds' drawn pixels."""
    found = []
    for batch in batches:
        for composite, mask, changed, real in zip(*batch, strict=True):
            decided = method.decide(composite[None, None].numpy(), mask[None, None].numpy())
            state, transform = decided.state, decided.transform
            assert isinstance(state, ShotState)
            assert transform is not None
            whole, applied = (
                apply_lut3d(changed[None], torch.from_numpy(lut))[0]
                for lut in (method.estimator.unit + state.change, transform.parameters)
            )
            change, wanted = whole - changed, real - changed
            means = [
                each.mean()
                for each in (
                    wanted.square(),
                    (applied - real).square(),
                    change.square(),
                    change * wanted,
                    wanted.square(),
                )
            ]
            found.append(torch.stack([*means, torch.tensor(state.log_error[0])]))
    composite, result, *measured = torch.stack(found).unbind(dim=1)
    return Judged(composite, result, Measured(*measured))


def figures(judged: Mapping[str, Judged]) -> dict[str, object]:
    """Return ratios of the results' errors to the composites', their sum, and harm to what matches."""
    rows: dict[str, object] = {}
    total = 0.0
    for kind, (composite, result, _) in judged.items():
        if kind == "unchanged":
            rows["harm"] = round(255**2 * float(result.mean()), 1)
            continue
        ratio = float(result.sum() / composite.sum())
        total += ratio
        rows[kind] = {
            "ratio": round(ratio, 3),
            "median_ratio": round(median((result / composite.clamp_min(1e-6)).tolist()), 3),
            "made_worse": round(float((result > composite).float().mean()), 3),
        }
    return {**rows, "sum": round(total, 3)}


def held_out_line(report: Report) -> str:
    """Return the figures of all weights, one line each."""
    weights = report["weights"]
    assert isinstance(weights, dict)
    lines = []
    for name, rows in weights.items():
        ratios = ", ".join(
            f"{kind} {rows[kind]['ratio']:.3f} ({rows[kind]['median_ratio']:.2f})" for kind in KINDS if kind in rows
        )
        lines.append(f"{name}: {ratios}, sum {rows['sum']:.3f}, harm {rows['harm']:.0f}")
    return "\n".join(lines)


def _pictures(folder: Path) -> Photographs:
    photographs = load_photographs(folder, side=SIDE, use="train")
    chosen = photographs.chosen(torch.tensor([name.startswith(SETS) for name in photographs.clips], dtype=torch.bool))
    if not len(chosen):
        raise InputError(f"{folder}: holds none of {', '.join(SETS)}; give a folder that has them")
    return chosen
