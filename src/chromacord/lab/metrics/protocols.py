"""Accuracy frame by frame, under protocols that are never mixed.

`hyoutube` follows the evaluation of the HYouTube data set (Lu et al., "Deep Video Harmonization with Color Mapping
Consistency", 2022) with all its peculiarities, since only so are figures comparable with the literature's. `clean` has
the textbook's definitions. Figures of one protocol say nothing beside figures of the other.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from chromacord.color.alpha import over
from chromacord.errors import MismatchError, NonFiniteError
from chromacord.lab.color.cielab import delta_e_2000, srgb_to_lab
from chromacord.lab.metrics.ssim import foreground_ssim
from chromacord.types import Size

MAX_PSNR = 100.0
"""Decibels at which a perfect frame is counted: an infinite one would make the mean of all frames infinite."""


_HALF = 127.5 / 255
"""A mask's code above 127."""


class Metric(NamedTuple):
    """How a table shows a figure."""

    title: str
    decimals: int
    higher_is_better: bool = False


METRICS: dict[str, Metric] = {
    "mse": Metric("MSE", 2),
    "fmse": Metric("fMSE", 2),
    "psnr": Metric("PSNR", 2, higher_is_better=True),
    "fssim": Metric("fSSIM", 4, higher_is_better=True),
    "delta_e": Metric("ΔE00", 2),
    "tl": Metric("TL", 4),
    "rtl": Metric("rTL", 4),
    "flicker": Metric("flicker", 4),
}
"""Every figure that a protocol or `chromacord.lab.metrics.temporal` gives, in the order of a table's columns."""

ScoreFrame = Callable[[Tensor, Tensor, Tensor], dict[str, float]]
"""Harmonized and real frame, (3, H, W), and mask, (1, H, W), to each figure; NaN where there is no foreground."""


@dataclass(frozen=True)
class MetricProtocol:
    """One set of definitions, under the name that stands in every table."""

    name: str
    description: str
    """One line for a table's caption."""

    metrics: tuple[str, ...]
    """Keys of METRICS, in the order of a table's columns."""

    size: Size
    """What the literature resizes pictures to before it scores them."""

    score_frame: ScoreFrame

    def score_frames(self, harmonized: Tensor, real: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return each figure of each frame.

        Args:
            harmonized: whole pictures, as `lay_over` makes them: RGB in [0, 1], not rounded to 8 bits; values outside
                are clamped. Shape (T, 3, H, W).
            real: RGB in [0, 1]. Shape (T, 3, H, W).
            mask: foreground weight in [0, 1]. Shape (T, 1, H, W).

        Returns:
            For each of `metrics` float64 values of shape (T,), NaN for foreground figures where a frame has no
            foreground.

        Raises:
            MismatchError: the tensors do not belong together.
            NonFiniteError: `harmonized` holds NaN or infinity.
        """
        check_clip(harmonized, real, mask)
        # Frame by frame: a whole clip exceeds the CPU caches and takes twice as long.
        scores = [self.score_frame(*frame) for frame in zip(harmonized.clamp(0, 1), real, mask, strict=True)]
        return {key: torch.tensor([score[key] for score in scores], dtype=torch.float64) for key in self.metrics}


def lay_over(harmonized: Tensor, composite: Tensor, mask: Tensor) -> Tensor:
    """Return what is scored: the harmonized foreground over the composite, blended by the soft mask.

    Args:
        harmonized: RGB; values outside [0, 1] are clamped. Shape (T, 3, H, W).
        composite: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).

    Returns:
        RGB in [0, 1]; the composite, to the bit, where mask is 0 and where both are equal. Shape (T, 3, H, W).
    """
    return over(harmonized, composite, mask).clamp(0, 1)


def check_clip(harmonized: Tensor, real: Tensor, mask: Tensor) -> None:
    """Check that a result can be scored.

    Args:
        harmonized, real: Shape (T, 3, H, W).
        mask: Shape (T, 1, H, W).

    Raises:
        MismatchError: shapes do not belong together.
        NonFiniteError: `harmonized` holds NaN or infinity: skipped as a frame without foreground, it would pass.
    """
    expected = (*real.shape[:1], 1, *real.shape[2:])
    if harmonized.shape != real.shape or mask.shape != expected:
        raise MismatchError(
            f"harmonized {tuple(harmonized.shape)}, real {tuple(real.shape)} and mask {tuple(mask.shape)} must have "
            "the same frames and size; resize the predictions or choose another --size"
        )
    finite = harmonized.sum(dim=(1, 2, 3), dtype=torch.float64).isfinite()  # one bad value makes the sum bad
    if not finite.all():
        raise NonFiniteError(f"the harmonized frame at position {int(finite.int().argmin())} holds NaN or infinity")


def foreground_error(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """Return fMSE of each frame as protocol `clean` has it, and nothing else: the other figures are dear.

    Args:
        first, second: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).

    Returns:
        On the scale of 0 to 255, float64, NaN where a frame has no foreground. Shape (T,).

    Raises:
        MismatchError: the tensors do not belong together.
        NonFiniteError: `first` holds NaN or infinity.
    """
    check_clip(first, second, mask)
    errors = [_foreground_mse(*frame) for frame in zip(255 * first, 255 * second, mask, strict=True)]
    return torch.tensor(errors, dtype=torch.float64)


def score_hyoutube(harmonized: Tensor, real: Tensor, mask: Tensor) -> dict[str, float]:
    """Score a frame as HYouTube's evaluation does.

    * MSE is over the whole picture, so it holds the JPEG noise of the composite's background.
    * fMSE is that same error divided by the foreground's area. Only pixels of weight 1 count as area.
    * PSNR takes the harmonized frame's own range, brightest minus darkest value, as its peak; not 255.
    * fSSIM is taken on 0 to 255 with the constants for 0 to 1, and zeros around the picture, weighted softly.

    Args:
        harmonized: RGB in [0, 1], not rounded to 8 bits. Shape (3, H, W).
        real: RGB in [0, 1]. Shape (3, H, W).
        mask: foreground weight in [0, 1]. Shape (1, H, W).

    Returns:
        mse, fmse, psnr, fssim, on the scale of 0 to 255. fmse and fssim are NaN where no pixel has weight 1: the
        original divides by zero there.
    """
    first, second = 255 * harmonized, 255 * real
    mse = _mean_square(first, second)
    scores = {"mse": mse, "fmse": math.nan, "psnr": _psnr(mse, float(first.max() - first.min())), "fssim": math.nan}
    if area := int((mask >= 1).sum()):
        scores["fmse"] = mse * mask.numel() / area
        scores["fssim"] = foreground_ssim(first, second, mask, dynamic_range=1, zero_border=True)
    return scores


def score_clean(harmonized: Tensor, real: Tensor, mask: Tensor) -> dict[str, float]:
    """Score a frame by the usual definitions, foreground figures from the foreground alone, weighted by the soft mask.

    MSE and PSNR (peak 255) are over the whole picture. fSSIM has the constants for 0 to 255 and mirrors the picture
    at its edge.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (3, H, W).
        mask: foreground weight in [0, 1]. Shape (1, H, W).

    Returns:
        mse, fmse, psnr, fssim on the scale of 0 to 255, and the mean CIEDE2000 of the foreground as delta_e.
        Foreground figures are NaN where the mask's weight is below one pixel.
    """
    first, second = 255 * harmonized, 255 * real
    mse = _mean_square(first, second)
    fmse = _foreground_mse(first, second, mask)
    scores = {"mse": mse, "fmse": fmse, "psnr": _psnr(mse, 255), "fssim": math.nan, "delta_e": math.nan}
    if not math.isnan(fmse):
        scores["fssim"] = foreground_ssim(first, second, mask, dynamic_range=255, zero_border=False)
        scores["delta_e"] = _foreground_delta_e(harmonized, real, mask[0])
    return scores


def score_foreground(harmonized: Tensor, real: Tensor, mask: Tensor) -> dict[str, float]:
    """Score the foreground alone, as a region with a hard border: the pixels whose mask is above 127 of 255.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (3, H, W).
        mask: foreground weight in [0, 1]. Shape (1, H, W).

    Returns:
        fmse on the scale of 0 to 255; NaN where there is no such pixel.
    """
    inside = (mask > _HALF).to(harmonized.dtype)
    return {"fmse": _foreground_mse(255 * harmonized, 255 * real, inside)}


PROTOCOLS: dict[str, MetricProtocol] = {
    "hyoutube": MetricProtocol(
        "hyoutube",
        "the definitions of HYouTube's evaluation: error of the whole picture, PSNR by the result's own range",
        ("mse", "fmse", "psnr", "fssim"),
        Size(256, 256),
        score_hyoutube,
    ),
    "clean": MetricProtocol(
        "clean",
        "the usual definitions: foreground figures from the foreground alone, PSNR with peak 255, CIEDE2000",
        ("mse", "fmse", "psnr", "fssim", "delta_e"),
        Size(256, 256),
        score_clean,
    ),
    "foreground": MetricProtocol(
        "foreground",
        "mean squared error over the pixels whose mask is above 127 of 255",
        ("fmse",),
        Size(256, 256),
        score_foreground,
    ),
}
"""The protocols by name."""


class FrameMean(NamedTuple):
    """The mean of a figure over frames (or pairs of frames), and how many there were."""

    mean: float
    """NaN where no frame counts."""

    num_frames: int
    num_skipped: int
    """Frames without foreground: they are in neither `mean` nor `num_frames`."""


def aggregate(scores: Iterable[Mapping[str, Iterable[float | None]]]) -> dict[str, FrameMean]:
    """Return the plain mean of each figure over all frames of all clips, as the literature does; not clip by clip.

    Args:
        scores: for each clip the values of each figure, one a frame; NaN or None where a frame is to be skipped.

    Returns:
        The means in the order of METRICS, whatever order clips and figures came in.
    """
    values: dict[str, list[float]] = {}
    for clip in scores:
        for key, frames in clip.items():
            values.setdefault(key, []).extend(math.nan if value is None else float(value) for value in frames)
    return {key: _frame_mean(values[key]) for key in METRICS if key in values}


def _frame_mean(values: list[float]) -> FrameMean:
    known = [value for value in values if not math.isnan(value)]
    mean = math.fsum(known) / len(known) if known else math.nan
    return FrameMean(mean, len(known), len(values) - len(known))


def _mean_square(first: Tensor, second: Tensor) -> float:
    return float((first - second).square().mean(dtype=torch.float64))


def _psnr(mse: float, peak: float) -> float:
    """Return decibels, held to +-MAX_PSNR: a perfect frame has no limit, nor one of a single colour (peak 0)."""
    if mse == 0:
        return MAX_PSNR
    if peak == 0:
        return -MAX_PSNR
    return min(10 * math.log10(peak**2 / mse), MAX_PSNR)


def _foreground_mse(first: Tensor, second: Tensor, mask: Tensor) -> float:
    """Return the mean over foreground and channels; NaN below one pixel of it. Shape (C, H, W) twice, (1, H, W)."""
    if mask.sum() < 1:
        return math.nan
    total = ((first - second).square() * mask).sum(dtype=torch.float64)
    return float(total / (len(first) * mask.sum(dtype=torch.float64)))


def _foreground_delta_e(harmonized: Tensor, real: Tensor, mask: Tensor) -> float:
    """Return the mean CIEDE2000, calculated where the mask (H, W) has weight only: it is the dearest figure."""
    weight = mask.flatten()
    chosen = weight.nonzero()[:, 0]
    weight = weight[chosen]
    labs = (srgb_to_lab(frame.flatten(1).index_select(1, chosen)[None]) for frame in (harmonized, real))
    difference = delta_e_2000(*labs)[0]
    return float((difference * weight).sum(dtype=torch.float64) / weight.sum(dtype=torch.float64))
