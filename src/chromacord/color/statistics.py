"""Weighted means and covariances of colours, for arrays and tensors."""

from typing import Any, Generic, NamedTuple

from chromacord.color.namespace import Values, namespace


class ColorStatistics(NamedTuple, Generic[Values]):
    """Population statistics of the colours of N pictures."""

    mean: Values
    """Mean colour. Shape (N, C)."""

    covariance: Values
    """Covariance of colours. Shape (N, C, C)."""

    @property
    def deviation(self) -> Values:
        """Population standard deviation of each channel. Shape (N, C)."""
        channels = list(range(self.covariance.shape[-1]))
        variance: Values = self.covariance[:, channels, channels].clip(0)
        deviation: Values = variance**0.5
        return deviation


def color_statistics(image: Values, weight: Values) -> ColorStatistics[Values]:
    """Return the weighted mean and covariance of a picture's colours.

    Args:
        image: any colour space. Shape (N, C, H, W).
        weight: not negative; if all weights are 0, so are the statistics. Shape (N, 1, H, W).
    """
    colors, share = (each.reshape(*each.shape[:2], -1) for each in (image, weight))
    share = share / share.sum(-1)[..., None].clip(_tiny(image))
    mean = (colors * share).sum(-1)
    centred = colors - mean[..., None]  # subtract the mean first: the difference of sums would cancel
    return ColorStatistics(mean, (centred * share) @ centred.mT)


def _tiny(image: Any) -> float:
    """Return the smallest normal number of an array's dtype."""
    return float(namespace(image).finfo(image.dtype).tiny)


def has_both_sides(mask: Values) -> Values:
    """Return which pictures have at least one pixel's weight each of foreground and background.

    Args:
        mask: foreground weight in [0, 1]. Shape (N, 1, H, W).

    Returns:
        Boolean. Shape (N,).
    """
    both: Values = (mask.sum((1, 2, 3)) >= 1) & ((1 - mask).sum((1, 2, 3)) >= 1)
    return both


def _symmetric_power(matrix: Values, exponent: float) -> Values:
    """Raise symmetric matrices with positive eigenvalues to a power. Shape (N, 3, 3)."""
    values, vectors = namespace(matrix).linalg.eigh(matrix)
    # Rounding can make the smallest eigenvalue of a flat foreground negative, which has no real root.
    raised: Values = (vectors * values.clip(1e-12)[:, None] ** exponent) @ vectors.mT
    return raised


def monge_kantorovich(source: Values, target: Values) -> Values:
    """Return the symmetric matrix T with T source T = target that moves colours the least (Pitie and Kokaram, eq. 16).

    Args:
        source, target: covariances with positive eigenvalues. Shape (N, 3, 3).

    Returns:
        Shape (N, 3, 3).
    """
    root, inverse = _symmetric_power(source, 0.5), _symmetric_power(source, -0.5)
    matrix: Values = inverse @ _symmetric_power(root @ target @ root, 0.5) @ inverse
    return matrix
