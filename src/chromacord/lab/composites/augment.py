"""Composites for training, made on the fly: a real picture, a mask, and a colour change of the foreground.

A batch depends only on its seed, so that a resumed run sees the same pictures. Two kinds of change are drawn: LUTs as
graders use them, optionally enhanced like HYouTube's, mixed or weakened; and smooth random looks. Some foregrounds stay
unchanged, because a method must learn when to do nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from chromacord.color.alpha import over
from chromacord.color.cube import Cube
from chromacord.errors import InputError
from chromacord.lab.color.enhancement import enhance
from chromacord.lab.color.looks import random_look
from chromacord.lab.color.lut3d import apply_cube, apply_lut3d, lattice
from chromacord.lab.composites.changes import ChangeShares, chosen_sides, dimmed_tables, draw_kinds, kinds
from chromacord.lab.composites.framing import cut_parts, parts_around
from chromacord.lab.composites.photographs import Photographs

LUT_SIZE = 17
"""Nodes per side of the change tables: enough for graders' LUTs, and four times cheaper than 33."""

_LEAST_AREA, _MOST_AREA = 0.002, 0.9

_QUALITIES = 75, 98
"""Range of JPEG qualities (half-open). HYouTube uses 75 at full video size; at the small size of these composites the
same noise is weaker, hence milder values."""


@dataclass(frozen=True)
class Augmentation:
    """How pictures, masks and changes are drawn. Shares are probabilities."""

    lut_share: float = 0.6
    """Share of changes drawn from `luts`; the others are random looks. Without LUTs, all are looks."""

    enhanced_share: float = 0.8
    """Share of LUTs that are enhanced like HYouTube's; also of `enhanced_look_share` of the looks."""

    enhanced_look_share: float = 0.3
    mixed_share: float = 0.4
    """Share of LUTs that are mixed with another one, or weakened towards the identity."""

    varied_share: float = 0.0
    """Share of LUTs followed by a weak random look, so that a network does not memorize the LUTs."""

    dimmed_share: float = 0.0
    """Share of changes followed by a tinted gain, mostly below 1, and a power curve, as if underexposed."""

    unchanged_share: float = 0.1
    """Share of foregrounds left unchanged."""

    compressed_share: float = 0.0
    """Share of composites compressed as JPEG, like HYouTube's: each frame separately, so that noise differs between
    frames."""

    relit_share: float = 0.5
    """Share of real pictures that first receive a mild look as a whole."""

    relit_strength: float = 0.5
    foreign_mask_share: float = 0.1
    """Share of masks taken from another picture."""

    inverted_share: float = 0.08
    """Share of inverted masks, which make the surroundings the foreground."""

    smallest_crop: float = 0.55
    """Side of the smallest crop, relative to the picture."""

    close_share: float = 0.0
    """Share of crops around the foreground, 1.4 to 3.5 times its box; other crops lie anywhere."""

    still_clip_share: float = 0.5
    """Share of clips made by panning over a still; the others are cut from videos."""

    spacing: int = 5
    """Video frames from one frame of a clip to the next; reduced if a video is too short."""

    camera: float = 0.08
    """Maximum pan over a still from one frame to the next, in half picture sides."""

    pasted_share: float = 0.0
    """Share of scenes whose foreground comes from another picture, as in a composite: only the light differs."""

    num_looks: int = 3000
    """Number of random looks made in advance, to be drawn alone or in sequence."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        for name, value in asdict(self).items():
            if name.endswith("_share") and not 0 <= value <= 1:
                raise InputError(f"{name} must lie in 0..1, got {value}")
        if not 0 < self.smallest_crop <= 1:
            raise InputError(f"smallest_crop must lie in 0..1, above 0, got {self.smallest_crop}")
        for name in ("num_looks", "spacing"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not self.camera >= 0:
            raise InputError(f"camera must be 0 or more, got {self.camera}")


class CompositeBatch(NamedTuple):
    """N composites, and P foreground pixels of each with their ground truth."""

    composite: Tensor
    """RGB in [0, 1], quantized to 8 bits in the foreground. Shape (N, 3, S, S)."""

    mask: Tensor
    """Shape (N, 1, S, S)."""

    changed: Tensor
    """The composite's colour at random foreground pixels. Shape (N, 3, 1, P)."""

    real: Tensor
    """The ground truth at the same pixels. Shape (N, 3, 1, P)."""


class ClipBatch(NamedTuple):
    """N clips of T frames, with one colour change per clip."""

    composite: Tensor
    """RGB in [0, 1]. Shape (N, T, 3, S, S)."""

    mask: Tensor
    """Shape (N, T, 1, S, S)."""

    real: Tensor
    """Shape (N, T, 3, S, S)."""


class CompositeMaker:
    """Draws batches of composites."""

    def __init__(
        self,
        photographs: Photographs,
        luts: Sequence[Cube],
        augmentation: Augmentation,
        *,
        changes: ChangeShares | None = None,
        side: int = 128,
        num_pixels: int = 1024,
        seed: int = 0,
    ) -> None:
        """Prepare the change tables.

        Args:
            photographs: the pictures to draw from.
            luts: may be empty.
            augmentation: how to draw.
            changes: draw these kinds of change, to either side, instead of recoloured foregrounds only.
            side: height and width of the composites, S.
            num_pixels: number of pixels drawn from each foreground, P.
            seed: seed of the random looks.
        """
        self._photographs, self._augmentation, self._shares = photographs, augmentation, changes
        self._side, self._num_pixels = side, num_pixels
        unit = lattice(LUT_SIZE)[None]
        self._unit = unit
        nodes = unit.flatten(2)[:, :, None]
        self._luts = torch.cat([apply_cube(nodes, cube).view_as(unit) for cube in luts]) if luts else unit[:0]
        self._first, self._last = _ends(photographs.clips)
        generator = torch.Generator().manual_seed(seed)
        looks = [random_look(generator)(unit) for _ in range(augmentation.num_looks)]
        self._looks = torch.cat(looks)

    def draw(self, count: int, generator: torch.Generator) -> CompositeBatch:
        """Make composites.

        Args:
            count: number of composites, N.
            generator: random number generator.
        """
        picture, mask, changed = (part[:, 0] for part in self._recolored(self._chosen(count, generator), generator))
        # Prefer pixels of full coverage: soft pixels mix both colours, which no grade of the foreground explains. The
        # small terms keep the draw possible where a mask is soft everywhere, or empty.
        place = torch.multinomial(
            (mask.flatten(1) - 0.5).clamp_min(0) + 1e-6 * mask.flatten(1) + 1e-12,
            self._num_pixels,
            replacement=True,
            generator=generator,
        )[:, None].expand(-1, 3, -1)
        pixels = (frame.flatten(2).gather(2, place)[:, :, None] for frame in (changed, picture))
        return CompositeBatch(self._composed(changed, picture, mask, generator), mask, *pixels)

    def draw_clips(self, count: int, length: int, generator: torch.Generator) -> ClipBatch:
        """Make clips. All frames of a clip share the crop, the mirroring and the colour change.

        Args:
            count: number of clips, N.
            length: frames per clip, T.
            generator: random number generator.
        """
        chosen = self._chosen(count, generator) if length == 1 else self._following(count, length, generator)
        picture, mask, changed = self._recolored(chosen, generator)
        return ClipBatch(self._composed(changed, picture, mask, generator), mask, picture)

    def _composed(self, changed: Tensor, picture: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Composite foregrounds over pictures, and compress a share of the results. Shape (N, ..., 3, S, S)."""
        composite = over(changed, picture, mask)
        share = self._augmentation.compressed_share
        if share:  # draw nothing otherwise, so that older runs resume with the same pictures
            quality = torch.randint(*_QUALITIES, (len(composite),), generator=generator)
            for place in torch.nonzero(self._drawn(len(composite), share, generator)).flatten().tolist():
                composite[place] = _compressed(composite[place], int(quality[place]))
        return composite

    def _chosen(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw pictures. Shape (count, 1)."""
        return torch.multinomial(self._photographs.weights, count, replacement=True, generator=generator)[:, None]

    def _following(self, count: int, length: int, generator: torch.Generator) -> Tensor:
        """Draw consecutive pictures; a still is repeated. Shape (count, length)."""
        source, first, last = self._photographs, self._first, self._last
        is_still = first == last
        wanted = self._drawn(count, self._augmentation.still_clip_share, generator)
        groups = [source.weights * is_still, source.weights * ~is_still]
        if not all(group.any() for group in groups):
            groups = [source.weights] * 2
        stills, videos = (torch.multinomial(group, count, replacement=True, generator=generator) for group in groups)
        chosen = torch.where(wanted, stills, videos)
        begin, frames = first[chosen], (last - first)[chosen] + 1
        step = ((frames - 1) // (length - 1)).clamp_max(self._augmentation.spacing)
        # Map the drawn picture's position in its clip to the positions where a window can start.
        start = begin + (chosen - begin) * (frames - step * (length - 1)) // frames
        return start[:, None] + step[:, None] * torch.arange(length)

    def _recolored(self, chosen: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return crops, masks, and recoloured crops.

        Args:
            chosen: indices of pictures. Shape (N, T).
            generator: random number generator.

        Returns:
            Shape (N, T, 3, S, S), (N, T, 1, S, S) and (N, T, 3, S, S).
        """
        count, augmentation = len(chosen), self._augmentation
        picture, mask = self._cut_out(chosen, generator)
        # Before the change, so that truth and composite share it: pictures of few cameras become pictures of many.
        relit = self._drawn(count, augmentation.relit_share, generator)
        if relit.any():
            mild = self._unit + augmentation.relit_strength * (
                self._some(self._looks, int(relit.sum()), generator) - self._unit
            )
            picture[relit] = _mapped(picture[relit], mild)
        if self._shares is None:
            picture = _rounded(picture)
            return picture, mask, _rounded(_mapped(picture, self._changes(count, generator)))
        kind = kinds(count, self._shares, generator, has_luts=len(self._luts) > 0)
        if augmentation.pasted_share:
            # The neighbour in the batch gives the background; both layers keep their own light until the scene's is
            # applied.
            pasted = (kind == 4) & self._drawn(count, augmentation.pasted_share, generator)
            picture[pasted] = over(picture, picture.roll(1, 0), mask)[pasted]
        tables = self._changes(count, generator, is_lut=kind == 0)
        # Statistics of a transfer need no more than a quarter of the pixels, of one frame of a clip.
        draw_kinds(tables, kind, picture[:, 0, :, ::2, ::2], mask[:, 0, :, ::2, ::2], generator)
        sides = chosen_sides(tables, kind, self._shares, generator)
        real, changed = (self._where_changed(picture, tables) for tables in sides)
        return _rounded(real), mask, _rounded(changed)

    def _where_changed(self, picture: Tensor, tables: Tensor) -> Tensor:
        """Map pictures, skipping those whose table is the identity, about half of them."""
        which = (tables != self._unit).flatten(1).any(dim=1)
        mapped = picture.clone()
        mapped[which] = _mapped(picture[which], tables[which])
        return mapped

    def _cut_out(self, chosen: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw crops of pictures and masks. Shape (N, T) to (N, T, 3, S, S) and (N, T, 1, S, S)."""
        source, augmentation = self._photographs, self._augmentation
        count, length = chosen.shape
        masks = torch.stack([source.foreground(indices, generator) for indices in chosen])
        foreign = self._drawn(count, augmentation.foreign_mask_share, generator)
        masks[foreign] = masks.roll(1, 0)[foreign]
        inverted = self._drawn(count, augmentation.inverted_share, generator)
        masks[inverted] = 1 - masks[inverted]
        # Picture and mask are cropped as one, so that they are resampled alike.
        both = torch.cat([source.pictures[chosen].float() / 255, masks], dim=2)
        crop = torch.empty(count, 2).uniform_(augmentation.smallest_crop, 1, generator=generator)
        center = (1 - crop) * (2 * torch.rand(count, 2, generator=generator) - 1)
        if augmentation.close_share:  # draw nothing otherwise, so that older runs resume with the same pictures
            close = self._drawn(count, augmentation.close_share, generator)
            crop[close], center[close] = (each[close] for each in parts_around(masks[:, 0, 0], generator))
        flip = torch.where(self._drawn(count, 0.5, generator), -1.0, 1.0)
        centers = self._moving(center, crop, chosen, generator) if length > 1 else center[:, None]
        cut = cut_parts(both, crop, centers, flip, side=self._side)
        area = cut[:, :, 3:].mean(dim=(2, 3, 4))
        # A crop without foreground, or without surroundings, is replaced by the whole picture.
        lost = ((area < _LEAST_AREA) | (area > _MOST_AREA)).any(dim=1)
        if lost.any():
            cut[lost] = cut_parts(
                both[lost], torch.ones_like(crop[lost]), torch.zeros_like(centers[lost]), flip[lost], side=self._side
            )
        return cut[:, :, :3].contiguous(), cut[:, :, 3:].contiguous()

    def _moving(self, center: Tensor, crop: Tensor, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Return a centre for each frame. Over a still it pans evenly, within the picture. Shape (N, T, 2)."""
        count, length = chosen.shape
        speed = self._augmentation.camera * (2 * torch.rand(count, 2, generator=generator) - 1)
        # Only over stills: frames of a video move by themselves.
        speed = speed * (chosen[:, :1] == chosen[:, -1:])
        times = torch.arange(length) - (length - 1) / 2
        moved = center[:, None] + times[:, None] * speed[:, None]
        room = (1 - crop)[:, None]
        return torch.maximum(torch.minimum(moved, room), -room)

    def _changes(self, count: int, generator: torch.Generator, *, is_lut: Tensor | None = None) -> Tensor:
        """Draw changes of foregrounds as tables. Shape (N, 3, D, D, D)."""
        augmentation = self._augmentation
        tables = self._some(self._looks, count, generator)
        if is_lut is None:
            is_lut = self._drawn(count, augmentation.lut_share if len(self._luts) else 0.0, generator)
        # Two looks in sequence make a third one, so a few thousand looks are enough.
        twice = self._drawn(count, 0.3, generator)
        if twice.any():
            second = self._unit + 0.5 * (self._some(self._looks, int(twice.sum()), generator) - self._unit)
            tables[twice] = self._after(tables[twice], second)
        if is_lut.any():
            tables[is_lut] = self._graded(int(is_lut.sum()), generator)
        if augmentation.varied_share:
            varied = is_lut & self._drawn(count, augmentation.varied_share, generator)
            tables[varied] = self._after(tables[varied], self._weak_looks(int(varied.sum()), generator))
        share = torch.where(is_lut, augmentation.enhanced_share, augmentation.enhanced_look_share)
        enhanced = torch.rand(count, generator=generator) < share
        tables[enhanced] = enhance(tables[enhanced])
        if augmentation.dimmed_share:
            dimmed = self._drawn(count, augmentation.dimmed_share, generator)
            tables[dimmed] = dimmed_tables(tables[dimmed], generator)
        tables[self._drawn(count, augmentation.unchanged_share, generator)] = self._unit
        return tables

    def _weak_looks(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw random looks, each weakened to a half or less. Shape (count, 3, D, D, D)."""
        strength = 0.5 * torch.rand(count, 1, 1, 1, 1, generator=generator)
        return self._unit + strength * (self._some(self._looks, count, generator) - self._unit)

    def _graded(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw LUTs, some mixed with another one or weakened. Shape (count, 3, D, D, D)."""
        tables = self._some(self._luts, count, generator)
        mixed = self._drawn(count, self._augmentation.mixed_share, generator)
        others = self._some(self._luts, count, generator)
        others[self._drawn(count, 0.5, generator)] = self._unit
        share = torch.rand(count, 1, 1, 1, 1, generator=generator) * mixed[:, None, None, None, None]
        return tables + share * (others - tables)

    def _after(self, tables: Tensor, following: Tensor) -> Tensor:
        """Concatenate tables: `tables` first, then `following`. Shape (n, 3, D, D, D) each."""
        return apply_lut3d(tables.flatten(2)[:, :, None], following).view_as(tables)

    def _some(self, tables: Tensor, count: int, generator: torch.Generator) -> Tensor:
        return tables[torch.randint(len(tables), (count,), generator=generator)]

    def _drawn(self, count: int, share: float, generator: torch.Generator) -> Tensor:
        return torch.rand(count, generator=generator) < share


def _ends(clips: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return the start and end of each picture's clip; a clip's pictures are contiguous. Shape (M,)."""
    starts = [place for place, name in enumerate(clips) if not place or clips[place - 1] != name]
    lengths = torch.tensor([*starts[1:], len(clips)]) - torch.tensor(starts)
    first = torch.tensor(starts).repeat_interleave(lengths)
    return first, first + lengths.repeat_interleave(lengths) - 1


def _rounded(picture: Tensor) -> Tensor:
    """Quantize a picture to 8 bits, as floats. Any shape."""
    return (picture.clamp(0, 1) * 255).round() / 255


def _mapped(picture: Tensor, tables: Tensor) -> Tensor:
    """Map all frames of a clip by its table. Shape (N, T, 3, S, S) and (N, 3, D, D, D)."""
    length = picture.shape[1]
    # All frames of a clip share its table, as foregrounds of a shot share their light.
    return apply_lut3d(picture.flatten(0, 1), tables.repeat_interleave(length, dim=0)).view_as(picture)


def _compressed(pictures: Tensor, quality: int) -> Tensor:
    """Compress pictures as JPEG and decode them. Shape (..., 3, S, S)."""
    flat = pictures.reshape(-1, *pictures.shape[-3:])
    codes = (flat * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    # JPEG's channels are distinguished by their order, which is blue first for OpenCV: chroma is coarser than luma.
    files = [cv2.imencode(".jpg", each[..., ::-1], options)[1] for each in codes]
    read = np.stack([np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR)) for file in files])
    decoded = torch.from_numpy(read[..., ::-1].copy()).permute(0, 3, 1, 2)
    return (decoded.float() / 255).view_as(pictures)
