"""ShotGrade: one smooth colour transform per shot, from comparing the foreground with its background.

This is our own method and the default. A pretrained encoder sees foreground and background together, and a small
network compares the two (`grade_estimator`). Its result is a sum of learned basis LUTs: a global transform, linear in
its parameters, so that it applies at any size, exports as .cube, and can be averaged over time.

The strength of a grade depends on two quantities that are calibrated on held-out pictures: how much it changes colours,
and the error that the network expects. A large, certain change is applied fully; a small, uncertain one is not, because
most foregrounds that look almost right are right.

It builds on image-adaptive mixtures of basis LUTs (Zeng et al., "Learning Image-adaptive 3D Lookup Tables for High
Performance Photo Enhancement in Real-time", TPAMI 2020), applied to one region and estimated from another, and on one
colour map per clip (Lu et al., "Deep Video Harmonization with Color Mapping Consistency", 2022).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from chromacord.color.transforms import Lut3d, apply_lut3d
from chromacord.errors import InputError
from chromacord.methods.base import Method, Prediction, State, Window, as_frames
from chromacord.methods.close_up import close_up
from chromacord.methods.grade_estimator import Floats, GradeEstimator
from chromacord.methods.grade_plan import check_sizes, weight_shapes
from chromacord.weights import check_fit, damaged, read_arrays

_MOST_CAUTIOUS = 1000
"""Maximum prior odds, at which everything stays unchanged."""

_STRIDE = 2
"""Every second frame of a window is analysed: neighbours hardly differ, and the grade is a mean."""

_SCALES = 2.2, 1.6
"""Sides of the crops, relative to the foreground's box: small foregrounds fill the network's input too."""


class _Look(NamedTuple):
    """The network's averaged result for one window."""

    change: Floats
    """Mean LUT minus the identity. Shape (3, D, D, D)."""

    log_error: float
    """Mean logarithm of the expected error."""

    weight: float
    """Weight of the mean: the sum of the frames' evidence."""


class ShotState(NamedTuple):
    """Memory of previous windows."""

    change: Floats
    """Mean LUT so far, minus the identity. Shape (B, 3, D, D, D)."""

    log_error: Floats
    """Mean logarithm of the expected error. Shape (B,)."""

    weight: Floats
    """Weight of both means, in frames with full evidence. Shape (B,)."""

    applied: Floats
    """The change applied to the last frame. Shape (B, 3, D, D, D)."""


class ShotGrade(Method):
    """One smooth colour transform per shot, learned from comparing foreground and background.

    Every second frame of a window is cropped to the foreground and its surroundings; half of the crops are mirrored and
    closer. Their estimates are averaged with the memory of previous windows. The first window's frames all get this
    mean; from there the grade moves in equal steps to each following window's mean, so that nothing jumps.

    Args:
        weights: name of shipped weights ("shotgrade"), or the path of a .safetensors file.
        memory: share of the memory that is kept from window to window. 0 follows a change of light within 8 analysed
            frames; 1 never forgets within a shot.
        caution: prior odds that no change is needed, relative to the calibration pictures, in 0..1000. Higher values
            weaken small or uncertain grades more; 0 applies every grade fully. The default minimizes the sum of errors
            on the dev benchmark.
        per_frame: estimate each frame independently, without memory.
        side, lut_size, hidden, attention, encoder: sizes of the network; must match the weights.
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
        """Decide the grades of each window's frames without changing pixels. See `Method.decide`.

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
        # With per_frame each frame is a window of its own in the batch.
        length = 1 if self.per_frame else composite.shape[1]
        before = applied if known is None else known.applied
        share = (np.arange(1, length + 1, dtype=np.float32) / length)[:, None, None, None, None]
        # Move from the previous window's grade to this one in equal steps, so that nothing jumps where windows meet.
        moved = before[:, None] + share * (applied - before)[:, None]
        lut = self.estimator.unit + moved.reshape(-1, *applied.shape[1:])
        transform = Lut3d(lut.astype(np.float32, copy=False))
        trust = confidence.astype(np.float32, copy=False).repeat(length)
        return Prediction(composite, transform, None if self.per_frame else after._replace(applied=applied), trust)

    def _look(self, pictures: Floats, masks: Floats) -> _Look:
        """Average the estimates of some frames. Shape (L, 3, H, W), (L, 1, H, W)."""
        evidence = _evidence(pictures, masks)
        if len(pictures) == 1 and not self.per_frame:
            # A still has one frame; duplicate it so that both crops are used, like in a clip.
            pictures, masks, evidence = (np.concatenate([each, each]) for each in (pictures, masks, evidence))
        frames = zip(pictures, masks, strict=True)
        views = [_view(*frame, number, self.estimator.side) for number, frame in enumerate(frames)]
        estimates = self.estimator(*(np.stack(part) for part in zip(*views, strict=True)))
        total = float(evidence.sum())
        share = (evidence / total if total > 0 else np.full(len(evidence), 1 / len(evidence))).astype(np.float32)
        change = np.tensordot(share, estimates.lut - self.estimator.unit, axes=1)
        return _Look(change, float(share @ estimates.log_error), total / len(evidence))

    def _remember(self, looks: list[_Look], state: ShotState | None) -> ShotState:
        """Combine the windows' results with the memory."""
        change, log_error, weight = (np.array(each, np.float32) for each in zip(*looks, strict=True))
        if state is None:
            return ShotState(change, log_error, weight, change)
        kept = np.float32(self.memory) * state.weight
        # A running mean by evidence: a window that sees little moves the memory little.
        part = weight / np.maximum(weight + kept, 1e-6)
        return ShotState(
            state.change + part[:, None, None, None, None] * (change - state.change),
            state.log_error + part * (log_error - state.log_error),
            weight + kept,
            state.applied,
        )

    def _trust(self, state: ShotState, occupied: Floats) -> tuple[Floats, Floats]:
        """Return the strength of each change, and the probability that it helps. Shape (B,) each."""
        # Weight the change by the foreground's colours: a change of colours that do not occur is irrelevant.
        squared = (state.change**2).mean(axis=1).reshape(len(occupied), -1)
        moved = np.log((squared * occupied).sum(axis=-1) + 1e-6)
        # Evidence counts up to one whole frame; more memory makes the mean steadier, but not the network more
        # certain.
        evidence = np.minimum(state.weight, 1)
        inputs = np.stack([np.ones_like(moved), moved, state.log_error])
        strength, chance = self.estimator.state["calibration"] @ inputs
        # Prior odds of 0 would need the logarithm of 0. Only missing evidence still weakens the grade.
        if not self.caution:
            return evidence, _logistic(chance) * evidence
        return _logistic(strength - np.log(self.caution)) * evidence, _logistic(chance) * evidence


def _fitting(source: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Floats]:
    """Read weights, and check every key and shape."""
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
    """Return the frames of a window to analyse: every second one, without repetitions of the previous frame.

    The repeated last frame of a window is no additional evidence. Shape (L, 3, H, W).
    """
    # Exact comparison is enough: only repeated frames are identical, because noise makes all others differ.
    is_new = [not n or not np.array_equal(pictures[n], pictures[n - 1]) for n in range(len(pictures))]
    new = [number for number, is_first in enumerate(is_new) if is_first]
    return new[::_STRIDE]


def _evidence(pictures: Floats, masks: Floats) -> Floats:
    """Return the amount of evidence: pixels on both sides, and colours that vary at all. Shape (L,)."""
    foreground, background = masks.mean(axis=(1, 2, 3)), (1 - masks).mean(axis=(1, 2, 3))
    variance = pictures.var(axis=(2, 3)).mean(axis=1)
    has_both = (masks.sum(axis=(1, 2, 3)) >= 1) & ((1 - masks).sum(axis=(1, 2, 3)) >= 1)
    # Saturating ratios: beyond about 0.05 % foreground and 0.5 % background, more pixels add little evidence.
    seen = foreground / (foreground + 5e-4) * background / (background + 5e-3)
    evidence: Floats = (seen * (1 - np.exp(-variance / 4e-4)) * has_both).astype(np.float32)
    return evidence


def _view(picture: Floats, mask: Floats, number: int, side: int) -> tuple[Floats, Floats]:
    """Return a crop of a frame. Alternating between two crop sizes gives a second opinion.

    Args:
        picture: RGB. Shape (3, H, W).
        mask: foreground weight. Shape (1, H, W).
        number: index of the frame; odd ones are mirrored and closer.
        side: height and width of the result.
    """
    is_second = number % 2
    if is_second:
        # Harmony does not depend on left and right, so a mirrored view is an independent opinion on the same
        # frame.
        picture, mask = picture[..., ::-1], mask[..., ::-1]
    return close_up(picture, mask, side=side, scale=_SCALES[is_second])


def _occupied(pictures: Floats, masks: Floats, size: int) -> Floats:
    """Return the share of foreground pixels nearest to each lattice node. Shape (D * D * D,)."""
    step = 4  # subsampling hardly changes the distribution
    colors, weights = pictures[..., ::step, ::step], masks[:, 0, ::step, ::step]
    red, green, blue = np.rint(np.clip(colors, 0, 1) * (size - 1)).astype(np.int64).swapaxes(0, 1)
    counted = np.bincount(((blue * size + green) * size + red).ravel(), weights.ravel(), size**3)
    shares: Floats = (counted / max(counted.sum(), 1e-6)).astype(np.float32)
    return shares


def _logistic(numbers: Floats) -> Floats:
    values: Floats = np.reciprocal(1 + np.exp(-numbers), dtype=np.float32)
    return values


def _recolored(picture: Floats, mask: Floats, lut: Floats) -> Floats:
    """Map only the foreground's pixels, because most of a picture is background. Shape (3, H, W)."""
    inside = mask[0] > 0
    recolored = picture.copy()
    recolored[:, inside] = apply_lut3d(picture[:, inside][None, :, None], lut[None])[0, :, 0].clip(0, 1)
    return recolored
