"""ShotGrade: one smooth colour transform for a shot, from comparing the foreground with its background.

Our own method, the default. A pretrained encoder looks at foreground and background together, and a small network
compares the two (`grade_estimator`). What it decides is a sum of learned basis LUTs: a global transform, linear in
its parameters, so it applies at any size, exports as .cube, and can be averaged over time.

How much of a grade is applied depends on two things that calibration weighs on held-out pictures: how far it moves the
colours, and how far off the network expects it to be. A large change that is sure is applied whole; a small one that is
not is left out, for most foregrounds that look nearly right are right.

Ideas that it builds on: image-adaptive mixtures of basis LUTs (Zeng et al., "Learning Image-adaptive 3D Lookup Tables
for High Performance Photo Enhancement in Real-time", TPAMI 2020), here for one region and estimated from another; one
colour map for a whole clip (Lu et al., "Deep Video Harmonization with Color Mapping Consistency", 2022).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from chromacord.color.transforms import Lut3d, apply_lut3d
from chromacord.errors import InputError
from chromacord.methods.base import Method, Prediction, State, Window, as_frames
from chromacord.methods.grade_estimator import Floats, GradeEstimator
from chromacord.methods.grade_plan import check_sizes, weight_shapes
from chromacord.weights import check_fit, damaged, read_arrays

_MOST_CAUTIOUS = 1000
"""Of odds: what is the same as leaving everything as it is."""

_STRIDE = 2
"""Of a window's frames every second one is looked at: neighbours in time hardly differ, and the grade is a mean."""


class _Look(NamedTuple):
    """What the network said of the frames of one window, and what their foregrounds are."""

    change: Floats
    """Mean of the LUTs, less the colours of their nodes. Shape (3, D, D, D)."""

    log_error: float
    """Mean logarithm of the error that is to be expected."""

    weight: float
    """How much the mean counts: the sum of the frames' evidence."""


class ShotState(NamedTuple):
    """What is kept of the windows before."""

    change: Floats
    """Mean of the LUTs so far, less the colours of their nodes. Shape (B, 3, D, D, D)."""

    log_error: Floats
    """Mean logarithm of the error that is to be expected. Shape (B,)."""

    weight: Floats
    """How much both count, in frames with plain evidence. Shape (B,)."""

    applied: Floats
    """The change that the last frame got. Shape (B, 3, D, D, D)."""


class ShotGrade(Method):
    """One smooth colour transform for a shot, learned from comparing foreground and background.

    Every second frame of a window is estimated, half of them mirrored, and the estimates are averaged, together with
    what is remembered of the windows before. The first window's frames all get the mean; from there the grade moves to
    each following window's mean in equal steps, so nothing jumps.

    Args:
        weights: shipped weights ("shotgrade"), or the path of a .safetensors file.
        memory: share of what is remembered that is kept from window to window. 0 follows a change of light within
            8 analysed frames; 1 never forgets, inside a shot.
        caution: prior odds that no change is needed, relative to the calibration pictures, in 0..1000. The
            higher, the more a small or uncertain grade is weakened; 0 applies all of it. The default was chosen on the
            dev benchmark, by the sum of its errors.
        per_frame: estimate each frame by itself, and remember nothing.
        side, lut_size, hidden, attention, encoder: of the network; those of the weights.
    """

    def __init__(
        self,
        weights: str = "shotgrade",
        *,
        memory: float = 0.5,
        caution: float = 0.1,
        per_frame: bool = False,
        side: int = 128,
        lut_size: int = 9,
        hidden: int = 320,
        attention: int = 48,
        encoder: bool = True,
    ) -> None:
        if not 0 <= memory <= 1:
            raise ValueError(f"memory must lie in 0..1, got {memory}")
        if not 0 <= caution <= _MOST_CAUTIOUS:
            raise ValueError(f"caution must lie in 0..{_MOST_CAUTIOUS}, got {caution}")
        self.window = Window() if per_frame else Window(hop=8)
        self.memory, self.caution, self.per_frame = memory, caution, per_frame
        check_sizes(side, lut_size)
        sizes: dict[str, Any] = {"lut_size": lut_size, "hidden": hidden, "attention": attention, "encoder": encoder}
        self.network_options = {"side": side, **sizes}
        self.estimator = GradeEstimator(_fitting(weights, weight_shapes(**sizes)), side=side)

    def harmonize(self, composite: Floats, mask: Floats, state: State = None) -> Prediction:
        """Grade the frames of each window.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, 256, 256).
            mask: foreground weight. Shape (B, L, 1, 256, 256).
            state: a `ShotState`, or None.
        """
        decided = self.decide(composite, mask, state)
        assert isinstance(decided.transform, Lut3d)
        each = zip(as_frames(composite), as_frames(mask), decided.transform.parameters, strict=True)
        harmonized = np.stack([_recolored(*frame) for frame in each])
        return decided._replace(harmonized=harmonized.reshape(composite.shape))

    def decide(self, composite: Floats, mask: Floats, state: State = None) -> Prediction:
        """Decide the grades of the frames of each window, and change no pixel. See `Method.decide`.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, 256, 256).
            mask: foreground weight. Shape (B, L, 1, 256, 256).
            state: a `ShotState`, or None.
        """
        known: ShotState | None = None if self.per_frame else state
        windows = (composite, mask)
        if self.per_frame:
            windows = (as_frames(composite)[:, None], as_frames(mask)[:, None])
        looks, occupied = [], []
        for pictures, masks in zip(*windows, strict=True):
            chosen = _chosen(pictures)
            looks.append(self._look(pictures[chosen], masks[chosen]))
            occupied.append(_occupied(pictures[chosen], masks[chosen], self.estimator.unit.shape[-1]))
        after = self._remember(looks, known)
        strength, confidence = self._trust(after, np.stack(occupied))
        applied = strength[:, None, None, None, None] * after.change
        length = 1 if self.per_frame else composite.shape[1]
        before = applied if known is None else known.applied
        share = (np.arange(1, length + 1, dtype=np.float32) / length)[:, None, None, None, None]
        moved = before[:, None] + share * (applied - before)[:, None]
        lut = self.estimator.unit + moved.reshape(-1, *applied.shape[1:])
        transform = Lut3d(lut.astype(np.float32, copy=False))
        trust = confidence.astype(np.float32, copy=False).repeat(length)
        return Prediction(composite, transform, None if self.per_frame else after._replace(applied=applied), trust)

    def _look(self, pictures: Floats, masks: Floats) -> _Look:
        """Estimate some frames, and average. Shape (L, 3, H, W), (L, 1, H, W)."""
        evidence = _evidence(pictures, masks)
        if len(pictures) == 1 and not self.per_frame:
            pictures, masks, evidence = (np.concatenate([each, each]) for each in (pictures, masks, evidence))
        pictures, masks = pictures.copy(), masks.copy()
        for each in (pictures, masks):  # mirrored frames are second opinions that cost nothing
            each[1::2] = each[1::2, ..., ::-1]
        estimates = self.estimator(pictures, masks)
        total = float(evidence.sum())
        share = (evidence / total if total > 0 else np.full(len(evidence), 1 / len(evidence))).astype(np.float32)
        change = np.tensordot(share, estimates.lut - self.estimator.unit, axes=1)
        return _Look(change, float(share @ estimates.log_error), total / len(evidence))

    def _remember(self, looks: list[_Look], state: ShotState | None) -> ShotState:
        """Join what windows say with what is remembered."""
        change, log_error, weight = (np.array(each, np.float32) for each in zip(*looks, strict=True))
        if state is None:
            return ShotState(change, log_error, weight, change)
        kept = np.float32(self.memory) * state.weight
        part = weight / np.maximum(weight + kept, 1e-6)
        return ShotState(
            state.change + part[:, None, None, None, None] * (change - state.change),
            state.log_error + part * (log_error - state.log_error),
            weight + kept,
            state.applied,
        )

    def _trust(self, state: ShotState, occupied: Floats) -> tuple[Floats, Floats]:
        """Return how much of each change is applied, and the probability that it helps. Shape (B,) each."""
        squared = (state.change**2).mean(axis=1).reshape(len(occupied), -1)
        moved = np.log((squared * occupied).sum(axis=-1) + 1e-6)
        evidence = np.minimum(state.weight, 1)
        inputs = np.stack([np.ones_like(moved), moved, state.log_error])
        strength, chance = self.estimator.state["calibration"] @ inputs
        if not self.caution:
            return evidence, _logistic(chance) * evidence
        return _logistic(strength - np.log(self.caution)) * evidence, _logistic(chance) * evidence


def _fitting(source: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Floats]:
    """Read weights that must be a network's in every key and shape."""
    arrays = read_arrays(source)
    try:
        check_fit(
            {key: values.shape for key, values in arrays.items()},
            shapes,
            {key: key for key in shapes},
            network="GradeNetwork",
        )
        for key in shapes:
            if not np.isfinite(arrays[key]).all():
                raise damaged(key)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return {key: arrays[key] for key in shapes}


def _chosen(pictures: Floats) -> list[int]:
    """Return the frames of a window to look at: every second, but none that repeats the one before.

    A window's repeated last frame is no evidence of its own. Shape (L, 3, H, W).
    """
    # Comparing stops at nothing, but rows of the middle of two frames of one film differ as soon as anything moves.
    is_new = [not n or not np.array_equal(pictures[n], pictures[n - 1]) for n in range(len(pictures))]
    new = [number for number, is_first in enumerate(is_new) if is_first]
    return new[::_STRIDE]


def _evidence(pictures: Floats, masks: Floats) -> Floats:
    """Return how much there is to go by: pixels on both sides, and colours that differ at all. Shape (L,)."""
    foreground, background = masks.mean(axis=(1, 2, 3)), (1 - masks).mean(axis=(1, 2, 3))
    variance = pictures.var(axis=(2, 3)).mean(axis=1)
    has_both = (masks.sum(axis=(1, 2, 3)) >= 1) & ((1 - masks).sum(axis=(1, 2, 3)) >= 1)
    seen = foreground / (foreground + 5e-4) * background / (background + 5e-3)
    evidence: Floats = (seen * (1 - np.exp(-variance / 4e-4)) * has_both).astype(np.float32)
    return evidence


def _occupied(pictures: Floats, masks: Floats, size: int) -> Floats:
    """Return the share of the foregrounds' pixels that lie nearest to each node of a lattice. Shape (D * D * D,)."""
    step = 4  # a grid of pixels tells as much of a distribution as all of them
    colors, weights = pictures[..., ::step, ::step], masks[:, 0, ::step, ::step]
    red, green, blue = np.rint(np.clip(colors, 0, 1) * (size - 1)).astype(np.int64).swapaxes(0, 1)
    counted = np.bincount(((blue * size + green) * size + red).ravel(), weights.ravel(), size**3)
    shares: Floats = (counted / max(counted.sum(), 1e-6)).astype(np.float32)
    return shares


def _logistic(numbers: Floats) -> Floats:
    values: Floats = np.reciprocal(1 + np.exp(-numbers), dtype=np.float32)
    return values


def _recolored(picture: Floats, mask: Floats, lut: Floats) -> Floats:
    """Map the pixels of the foreground, and no others: most of a picture is background. Shape (3, H, W)."""
    inside = mask[0] > 0
    recolored = picture.copy()
    recolored[:, inside] = apply_lut3d(picture[:, inside][None, :, None], lut[None])[0, :, 0].clip(0, 1)
    return recolored
