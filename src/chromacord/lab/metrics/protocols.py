"""Accuracy frame by frame, under protocols that are never mixed.

`hyoutube` reproduces the evaluation of the HYouTube data set (Lu et al., "Deep Video Harmonization with Color Mapping
Consistency", 2022) with all its peculiarities, so that results compare with the literature. `clean` uses textbook
definitions. Results under different protocols cannot be compared.
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
"""Score of a perfect frame in dB: infinity would make the mean over all frames infinite."""


_HALF = 127.5 / 255
"""Threshold that selects mask codes above 127."""


class Metric(NamedTuple):
    """How tables present a metric."""

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
"""All metrics of the protocols and `chromacord.lab.metrics.temporal`, in the order of table columns."""

ScoreFrame = Callable[[Tensor, Tensor, Tensor], dict[str, float]]
"""Maps harmonized and real frame, (3, H, W), and mask, (1, H, W), to metrics; NaN without foreground."""


@dataclass(frozen=True)
class MetricProtocol:
    """A set of metric definitions, named in every table."""

    name: str
    description: str
    """One-line description for table captions."""

    metrics: tuple[str, ...]
    """Keys of METRICS, in the order of a table's columns."""

    size: Size
    """Size to which the literature resizes pictures before scoring."""

    score_frame: ScoreFrame

    def score_frames(self, harmonized: Tensor, real: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Score each frame.

        Args:
            harmonized: full pictures, as returned by `lay_over`: RGB in [0, 1], not quantized; values outside are
                clamped. Shape (T, 3, H, W).
            real: RGB in [0, 1]. Shape (T, 3, H, W).
            mask: foreground weight in [0, 1]. Shape (T, 1, H, W).

        Returns:
            A float64 tensor of shape (T,) for each of `metrics`; foreground metrics are NaN for frames without
            foreground.

        Raises:
            MismatchError: the tensors' shapes do not match.
            NonFiniteError: `harmonized` holds NaN or infinity.
        """
        check_clip(harmonized, real, mask)
        # Frame by frame: a whole clip exceeds the CPU caches and takes twice as long.
        scores = [self.score_frame(*frame) for frame in zip(harmonized.clamp(0, 1), real, mask, strict=True)]
        return {key: torch.tensor([score[key] for score in scores], dtype=torch.float64) for key in self.metrics}


def lay_over(harmonized: Tensor, composite: Tensor, mask: Tensor) -> Tensor:
    """Composite the harmonized foreground over the composite by the soft mask, as scored.

    Args:
        harmonized: RGB; values outside [0, 1] are clamped. Shape (T, 3, H, W).
        composite: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).

    Returns:
        RGB in [0, 1]; bit-identical to the composite where mask is 0 or both are equal. Shape (T, 3, H, W).
    """
    return over(harmonized, composite, mask).clamp(0, 1)


def check_clip(harmonized: Tensor, real: Tensor, mask: Tensor) -> None:
    """Check that a result can be scored.

    Args:
        harmonized, real: Shape (T, 3, H, W).
        mask: Shape (T, 1, H, W).

    Raises:
        MismatchError: the shapes do not match.
        NonFiniteError: `harmonized` holds NaN or infinity, which would otherwise be skipped like a missing foreground.
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
    """Return only the fMSE of each frame by protocol `clean`; the other metrics are expensive.

    Args:
        first, second: RGB in [0, 1]. Shape (T, 3, H, W).
        mask: foreground weight in [0, 1]. Shape (T, 1, H, W).

    Returns:
        Squared 8-bit levels, float64; NaN for frames without foreground. Shape (T,).

    Raises:
        MismatchError: the shapes do not match.
        NonFiniteError: `first` holds NaN or infinity.
    """
    check_clip(first, second, mask)
    errors = [_foreground_mse(*frame) for frame in zip(255 * first, 255 * second, mask, strict=True)]
    return torch.tensor(errors, dtype=torch.float64)


def score_hyoutube(harmonized: Tensor, real: Tensor, mask: Tensor) -> dict[str, float]:
    """Score a frame by HYouTube's evaluation.

    * MSE covers the whole picture, including JPEG noise in the composite's background.
    * fMSE divides the same error by the foreground's area, which counts only pixels of weight 1.
    * PSNR's peak is the harmonized frame's own range (brightest minus darkest value), not 255.
    * fSSIM is computed on 0 to 255 with the constants for 0 to 1 and zero padding, weighted by the soft mask.

    Args:
        harmonized: RGB in [0, 1], not quantized. Shape (3, H, W).
        real: RGB in [0, 1]. Shape (3, H, W).
        mask: foreground weight in [0, 1]. Shape (1, H, W).

    Returns:
        mse, fmse, psnr and fssim on the scale 0 to 255. fmse and fssim are NaN if no pixel has weight 1: the original
        divides by zero.
    """
    first, second = 255 * harmonized, 255 * real
    mse = _mean_square(first, second)
    scores = {"mse": mse, "fmse": math.nan, "psnr": _psnr(mse, float(first.max() - first.min())), "fssim": math.nan}
    if area := int((mask >= 1).sum()):
        scores["fmse"] = mse * mask.numel() / area
        scores["fssim"] = foreground_ssim(first, second, mask, dynamic_range=1, zero_border=True)
    return scores


def score_clean(harmonized: Tensor, real: Tensor, mask: Tensor) -> dict[str, float]:
    """Score a frame by the usual definitions, with foreground metrics weighted by the soft mask.

    MSE and PSNR (peak 255) cover the whole picture. fSSIM uses the constants for 0 to 255 and mirrors the picture at
    its edge.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (3, H, W).
        mask: foreground weight in [0, 1]. Shape (1, H, W).

    Returns:
        mse, fmse, psnr and fssim on the scale 0 to 255, and the foreground's mean CIEDE2000 as delta_e. Foreground
        metrics are NaN if the mask's total weight is below one pixel.
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
    """Score the foreground as a region with a hard edge: the pixels whose mask is above 127 of 255.

    Args:
        harmonized, real: RGB in [0, 1]. Shape (3, H, W).
        mask: foreground weight in [0, 1]. Shape (1, H, W).

    Returns:
        fmse on the scale 0 to 255; NaN if there is no such pixel.
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
    """Mean of a metric over frames (or frame pairs), and their number."""

    mean: float
    """NaN if no frame counts."""

    num_frames: int
    num_skipped: int
    """Number of frames without foreground, which are excluded from `mean` and `num_frames`."""


def aggregate(scores: Iterable[Mapping[str, Iterable[float | None]]]) -> dict[str, FrameMean]:
    """Average each metric over all frames of all clips, like the literature, rather than clip by clip.

    Args:
        scores: for each clip the values of each metric, one per frame; NaN or None skips a frame.

    Returns:
        The means in the order of METRICS, independent of the order of clips.
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
    """Return dB clamped to +-MAX_PSNR: a perfect frame is infinite, as is a single-coloured one (peak 0)."""
    if mse == 0:
        return MAX_PSNR
    if peak == 0:
        return -MAX_PSNR
    return min(10 * math.log10(peak**2 / mse), MAX_PSNR)


def _foreground_mse(first: Tensor, second: Tensor, mask: Tensor) -> float:
    """Return the mean over foreground and channels; NaN below one pixel's weight. Shape (C, H, W) twice, (1, H, W)."""
    if mask.sum() < 1:
        return math.nan
    total = ((first - second).square() * mask).sum(dtype=torch.float64)
    return float(total / (len(first) * mask.sum(dtype=torch.float64)))


def _foreground_delta_e(harmonized: Tensor, real: Tensor, mask: Tensor) -> float:
    """Return the mean CIEDE2000, computed only where the mask (H, W) has weight: it is the most expensive metric."""
    weight = mask.flatten()
    chosen = weight.nonzero()[:, 0]
    weight = weight[chosen]
    labs = (srgb_to_lab(frame.flatten(1).index_select(1, chosen)[None]) for frame in (harmonized, real))
    difference = delta_e_2000(*labs)[0]
    return float((difference * weight).sum(dtype=torch.float64) / weight.sum(dtype=torch.float64))
