"""A matte of the subject in a box or under clicks, tracked through the clip.

GrabCut (Rother et al., "GrabCut", 2004) segments it in the box, or around the regions that grow from the clicks. In
each later frame, optical flow (DIS, Kroeger et al. 2016) moves the previous matte, and GrabCut decides again in a band
around its edge. Both work on reduced pictures; the soft edge is estimated at full size.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from chromacord.errors import InputError
from chromacord.matte.clicks import Click, Seeds, alike, flooded
from chromacord.matte.soft_edge import Binary, soft_edge
from chromacord.parsing import shown
from chromacord.types import Box, FloatArray, Size

LOST = 0.4
"""Product of likeness, contrast, and agreement of flow and colours below which the foreground counts as lost."""

DOUBTFUL = 0.65
"""Confidence below which a warning asks the user to check the matte."""

_NONE = 0.1
"""Minimum contrast of a foreground in its first frame."""

_CLEAR = 0.5
"""Hellinger distance between the colours of foreground and surroundings from which they are easy to separate."""

_EXPECTED = np.array((0.36, 0.989, 0.177, -0.375, 0.06))
"""Coefficients of `_facts` for the expected overlap with the true matte: a ridge regression on mattes from boxes and
clicks on ten freely licensed clips with known masks, weighted equally. On eight other clips, of the benchmark, the
estimate is 0.06 too low on average; trust alone was 0.23 too high."""

_LONGEST = 512
"""Longest side of the reduced pictures, in pixels."""

_LEAST_SIDE = 16
_BAND = 0.06
"""Half the width of the band in which an edge may move, relative to the square root of the foreground's area."""

_MORE, _LEAST_MORE = 0.1, 4
"""Margin added on each side to the box of a region grown from clicks: relative to its longer side, and the minimum in
pixels."""

_CONTEXT = 4
"""Width of the background around the foreground that GrabCut learns from, in bands."""

_SMALL = 0.1
"""Minimum area of a part of the foreground, relative to the largest part."""

_RIM = 2
"""Width in pixels of the picture's margin, where the outline is ignored."""

_LEAST_SLOPE = 0.04
_LEAST_AGREEMENT = 1e-3
_BINS = 8
_FIRST_ITERATIONS, _ITERATIONS = 5, 2


class TrackedMatte:
    """Tracks one foreground through the frames of a clip, in order."""

    def __init__(self, box: Box | None, clicks: Sequence[Click] = ()) -> None:
        """Start tracking.

        Args:
            box: box around the whole foreground in the first frame. None: only clicks mark it.
            clicks: clicks on the foreground and around it, in any frame. Frames before the first click on it have no
                matte.
        """
        self._box, self._clicks = box, clicks
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._inside: Binary | None = None
        self._grey: Binary | None = None
        self._colors = np.zeros((_BINS, _BINS, _BINS), np.float32)
        self._count = 0
        self.confidence = 1.0
        """Lowest confidence so far, in [0, 1]: the expected overlap with the true matte, as intersection over union."""
        self.facts: FloatArray | None = None
        """Features behind the confidence of the last frame, see `_facts`; None if it has no matte."""
        self._agreement = 1.0
        self.lost_at: int | None = None
        """Number of the first frame in which the foreground was lost. From there on the matte is 0, until a click
        on it."""
        self.gaps: list[tuple[int, int]] = []
        """First and last frames of each period between a loss and the click that ended it."""

    def matte(self, picture: FloatArray) -> FloatArray:
        """Return the coverage of the next frame, in [0, 1]. Shape (H, W).

        Args:
            picture: RGB in [0, 1]. Shape (H, W, 3).

        Raises:
            InputError: the marked region does not differ from its surroundings.
        """
        height, width = picture.shape[:2]
        scale = min(1.0, _LONGEST / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.rint(cv2.resize(picture, size, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        clicks = [click for click in self._clicks if click.frame == self._count]
        seeds = Seeds.of(clicks, (size[1], size[0]), scale) if clicks else None
        is_marked = any(click.is_inside for click in clicks)
        if self._inside is None:
            if self._box is not None or is_marked:
                self._inside = self._first(small, scale, seeds)
        elif self.lost_at is None or is_marked:
            self._inside = self._next(small, grey, seeds)
        self._grey = grey
        self._count += 1
        if self.lost_at is not None or self._inside is None:
            return np.zeros((height, width), np.float32)
        return _enlarged(picture, self._inside, scale)

    def _first(self, small: Binary, scale: float, seeds: Seeds | None) -> Binary:
        box = None if self._box is None else Box(*(round(edge * scale) for edge in self._box))
        inside = _cut_out(small, box, seeds)
        if box is None:
            way, remedy = "--click", "click on its larger parts, and set --click-out beside it"
        else:
            way, remedy = "--box", "draw it around the foreground, with some margin"
        self._colors = _histogram(small, inside)
        contrast = _contrast(small, inside, self._colors)
        if not inside.any() or inside.all() or contrast < _NONE:
            raise InputError(f"{way}: holds nothing that stands out; {remedy}")
        self._judge(_facts(small, inside, contrast, 1.0))
        return inside

    def _next(self, small: Binary, grey: Binary, seeds: Seeds | None) -> Binary:
        """Move the matte, correct it by clicks, and judge the result."""
        carried = self._carried(grey)
        if self.lost_at is not None:
            carried[:] = 0
        if seeds is not None:
            carried = _corrected(small, carried, seeds)
        inside = _refined(small, carried, seeds)
        colors = _histogram(small, inside)
        if seeds is not None:
            # Clicks are authoritative: update the foreground's reference colours from them.
            self._colors = colors
            if self.lost_at is not None:
                self.gaps.append((self.lost_at, self._count - 1))
            self.lost_at = None
            self._agreement = 1.0
        # Intersection over union of the matte by flow and the matte by colours: both fail, but seldom in the same way.
        agreement = float((carried & inside).sum()) / max(1.0, float((carried | inside).sum()))
        # Multiplied, because errors of tracking accumulate: each frame starts from the previous matte.
        self._agreement *= agreement
        trust = agreement * _likeness(self._colors, colors) * _contrast(small, inside, colors)
        if trust < LOST:
            self.lost_at, self.facts = self._count, None
            self.confidence = min(self.confidence, trust)
        else:
            self._judge(_facts(small, inside, trust, self._agreement))
        return inside

    def _judge(self, facts: FloatArray) -> None:
        self.facts = facts
        self.confidence = min(self.confidence, float(np.clip(_EXPECTED @ facts, 0, 1)))

    def _carried(self, grey: Binary) -> Binary:
        """Return the previous frame's matte, moved to this frame."""
        assert self._grey is not None
        assert self._inside is not None
        # Flow from this frame to the previous one: each pixel fetches its label, so the moved matte has no holes.
        backward = self._flow.calc(grey, self._grey, None)
        rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
        soft = cv2.remap(
            self._inside * np.float32(255), columns + backward[..., 0], rows + backward[..., 1], cv2.INTER_LINEAR
        )
        carried: Binary = (soft > 127).astype(np.uint8)
        return carried


def parse_box(text: str, size: Size, where: object) -> Box:
    """Parse "X,Y,W,H": left, top, width and height in pixels of the upright picture.

    Args:
        text: the box.
        size: size of the picture.
        where: name of the clip, for messages.

    Raises:
        InputError: the text is something else, or the box is too small, the whole picture, or outside it.
    """
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"--box {shown(text)}: is not X,Y,W,H; give left, top, width and height in pixels, such as 200,80,300,420"
        ) from None
    box = Box(max(0, top), max(0, left), min(size.height, top + height), min(size.width, left + width))
    if min(box.bottom - box.top, box.right - box.left) < _LEAST_SIDE:
        raise InputError(
            f"--box {shown(text)}: has less than {_LEAST_SIDE} pixels a side inside {where}, which is {size.width}x"
            f"{size.height}"
        )
    if box == Box(0, 0, *size):
        raise InputError(f"--box {shown(text)}: is the whole picture; leave some background outside")
    return box


def _seeded(labels: Binary, seeds: Seeds | None) -> Binary:
    """Return GrabCut's labels, overridden at clicks."""
    if seeds is not None:
        labels[seeds.outside == 1] = cv2.GC_BGD
        labels[seeds.inside == 1] = cv2.GC_FGD
    return labels


def _cut_out(small: Binary, box: Box | None, seeds: Seeds | None) -> Binary:
    """Segment the subject in a box, under clicks, or both; at least one must be given.

    Regions that grow from the clicks are probably foreground, the rest of the box is probably not. Without clicks, all
    of the box may be foreground. Without a box, that of the grown regions is used, slightly enlarged.
    """
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    if box is not None:
        labels[box.top : box.bottom, box.left : box.right] = cv2.GC_PR_FGD
    if seeds is not None and seeds.inside.any():
        beyond = np.zeros_like(labels) if box is None else (labels == cv2.GC_BGD) & (seeds.inside == 0)
        grown = flooded(small, Seeds(seeds.inside, seeds.outside | beyond.astype(np.uint8)))
        if box is None:
            left, top, width, height = cv2.boundingRect(grown)
            more = max(_LEAST_MORE, round(_MORE * max(width, height)))
            bottom, right = min(top + height + more, small.shape[0]), min(left + width + more, small.shape[1])
            box = Box(max(0, top - more), max(0, left - more), bottom, right)
        labels[box.top : box.bottom, box.left : box.right] = cv2.GC_PR_BGD
        labels[grown == 1] = cv2.GC_PR_FGD
    assert box is not None
    # GrabCut learns the background's colours from this margin; a distant part of the scene would only mislead it.
    margin = max(box.bottom - box.top, box.right - box.left) // 3
    return _cut(small, _seeded(labels, seeds), _surrounded(box, margin), _FIRST_ITERATIONS)


def _corrected(small: Binary, carried: Binary, seeds: Seeds) -> Binary:
    """Regrow a matte from its core and the clicks on it, away from the clicks around it."""
    reach = max(2, round(_BAND * float(carried.sum()) ** 0.5))
    core = cv2.erode(carried, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2))
    core[cv2.dilate(seeds.outside, np.ones((4 * reach + 1,) * 2)) == 1] = 0
    core[alike(small, seeds.outside) == 1] = 0
    inside = core | seeds.inside
    return flooded(small, Seeds(inside, seeds.outside)) if inside.any() else carried


def _refined(small: Binary, carried: Binary, seeds: Seeds | None = None) -> Binary:
    """Segment again in a band around the edge, learning only from a few bands around the foreground."""
    if not carried.any():
        return carried
    reach = max(2, round(_BAND * float(carried.sum()) ** 0.5))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    labels = np.where(carried == 1, np.uint8(cv2.GC_PR_FGD), np.uint8(cv2.GC_PR_BGD))
    labels[cv2.erode(carried, disc) == 1] = cv2.GC_FGD
    labels[cv2.dilate(carried, disc) == 0] = cv2.GC_BGD
    left, top, width, height = cv2.boundingRect(carried)
    around = _surrounded(Box(top, left, top + height, left + width), _CONTEXT * reach)
    return _cut(small, _seeded(labels, seeds), around, _ITERATIONS)


def _surrounded(box: Box, margin: int) -> tuple[slice, slice]:
    """Return the rows and columns of a box with its surroundings."""
    rows = slice(max(0, box.top - margin), box.bottom + margin)
    return rows, slice(max(0, box.left - margin), box.right + margin)


def _cut(small: Binary, labels: Binary, around: tuple[slice, slice], iterations: int) -> Binary:
    """Run GrabCut on a part of a picture, and return its foreground without small parts."""
    inside = np.zeros_like(labels)
    part = np.ascontiguousarray(labels[around])
    is_front = (part == cv2.GC_FGD) | (part == cv2.GC_PR_FGD)
    if is_front.all() or not is_front.any():
        return inside
    models = np.zeros((2, 1, 65))
    # GrabCut initializes its colour models by k-means with random centres; equal input must give equal mattes.
    cv2.setRNGSeed(0)
    colors = np.ascontiguousarray(small[around])
    cv2.grabCut(colors, part, None, models[0], models[1], iterations, cv2.GC_INIT_WITH_MASK)
    inside[around] = (part == cv2.GC_FGD) | (part == cv2.GC_PR_FGD)
    _, parts, facts, _ = cv2.connectedComponentsWithStats(inside)
    areas = facts[:, cv2.CC_STAT_AREA]
    areas[0] = 0
    large: Binary = ((areas >= _SMALL * areas.max()) & (areas > 0))[parts].astype(np.uint8)
    return large


def _contrast(small: Binary, inside: Binary, colors: FloatArray) -> float:
    """Return how well the colours of a foreground differ from those around it, in [0, 1]."""
    likeness = _likeness(colors, _histogram(small, _ring(inside)))
    distance: float = (1 - likeness) ** 0.5
    return min(1.0, distance / _CLEAR)


def _ring(inside: Binary) -> Binary:
    """Return the surroundings of a foreground."""
    reach = max(2, round(_CONTEXT * _BAND * float(inside.sum()) ** 0.5))
    around: Binary = cv2.dilate(inside, np.ones((2 * reach + 1,) * 2)) - inside
    return around


def _facts(small: Binary, inside: Binary, trust: float, agreement: float) -> FloatArray:
    """Return the features from which the overlap with the true matte is estimated.

    These are 1; the trust in the frame; the logarithm of the agreement of flow and colours since the foreground was
    marked; the logarithm of the outline's length, relative to the square root of the area; and the gradient at the
    outline, relative to the steepest within two pixels.

    Args:
        small: R'G'B' codes. Shape (H, W, 3).
        inside: the foreground; not empty. Shape (H, W).
        trust: agreement of flow and colours in this frame, times likeness, times contrast.
        agreement: product of the agreement of all frames so far.

    Returns:
        Shape (5,).
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    outline = (cv2.dilate(inside, disc) - cv2.erode(inside, disc)) > 0
    length = outline.sum() / 2 / max(1.0, float(inside.sum())) ** 0.5
    outline[:_RIM] = outline[-_RIM:] = outline[:, :_RIM] = outline[:, -_RIM:] = False
    smooth = cv2.GaussianBlur(small, (0, 0), 1).astype(np.float32) / 255
    colors = cv2.split(cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB))
    slopes = [np.square(cv2.Sobel(plane, cv2.CV_32F, *axis)) for plane in colors for axis in ((1, 0), (0, 1))]
    slope = np.sqrt(np.sum(slopes, axis=0))
    steepest = np.maximum(cv2.dilate(slope, np.ones((5, 5))), _LEAST_SLOPE)
    on_edges = float((slope / steepest)[outline].mean()) if outline.any() else 0.0
    logarithms = np.log(max(agreement, _LEAST_AGREEMENT)), np.log(max(length, 1.0))
    return np.array((1, trust, *logarithms, on_edges), np.float32)


def _likeness(one: FloatArray, other: FloatArray) -> float:
    """Return the Bhattacharyya coefficient of two histograms, in [0, 1]."""
    return min(1.0, float(np.sqrt(one * other).sum()))


def _histogram(small: Binary, inside: Binary) -> FloatArray:
    """Return the shares of the colours of a foreground. Shape (_BINS, _BINS, _BINS)."""
    counts = cv2.calcHist([small], [0, 1, 2], inside, [_BINS] * 3, [0, 256] * 3)
    # Smoothed, because otherwise a small change of light moves colours to other bins and looks like another object.
    smooth: FloatArray = cv2.blur(counts.reshape(_BINS, -1), (3, 3)).reshape(counts.shape)
    return smooth / max(float(smooth.sum()), 1e-6)


def _enlarged(picture: FloatArray, inside: Binary, scale: float) -> FloatArray:
    """Return the soft matte at full size, re-estimated within two reduced pixels of the edge."""
    height, width = picture.shape[:2]
    smooth = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.7)
    hard = (cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)
    return soft_edge(picture, hard, max(2, round(2 / scale)))
