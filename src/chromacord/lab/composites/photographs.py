"""Photographs and frames with masks, held in memory for training."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from chromacord.errors import InputError, MissingFileError
from chromacord.io.stills.single import Codes
from chromacord.lab.composites.synthesis import to_bytes
from chromacord.lab.data.clip_folder import open_clips
from chromacord.lab.data.files import ClipFiles, PictureFiles
from chromacord.types import Progress

CLIP_WEIGHT = 20.0
"""Total weight of a clip in stills, whatever its length, because its frames look alike."""


@dataclass(frozen=True, eq=False)
class Photographs:
    """M pictures of one size with their masks."""

    names: tuple[str, ...]
    clips: tuple[str, ...]
    """Clip of each picture; a still is its own clip."""

    pictures: Tensor
    """RGB codes, uint8. Shape (M, 3, S, S)."""

    masks: Tensor
    """Coverage as codes, or labels where `has_labels`; uint8. Shape (M, 1, S, S)."""

    has_labels: Tensor
    """Whether each mask holds labels. Shape (M,), bool."""

    weights: Tensor
    """Sampling weight of each picture, relative to a still. Shape (M,)."""

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.names)

    def sets(self) -> dict[str, int]:
        """Return the number of pictures from each folder."""
        return dict(Counter(_set_of(name) for name in self.names))

    def foreground(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Return masks of one foreground in each picture. Of labels, draw the union of one to three, or of all.

        Args:
            indices: one picture, or frames of one clip. Shape (T,).
            generator: random number generator for labels.

        Returns:
            Coverage in [0, 1]. Shape (T, 1, S, S).
        """
        mask = self.masks[indices]
        if not self.has_labels[indices[0]]:
            return mask.float() / 255
        labels = mask[0].unique()
        labels = labels[labels > 0]
        count = int(torch.randint(1, 5, (), generator=generator))
        if count < 4 and len(labels):
            chosen = labels[torch.randperm(len(labels), generator=generator)[:count]]
            return torch.isin(mask, chosen).float()
        return (mask > 0).float()

    def split(self, share: float) -> tuple["Photographs", "Photographs"]:
        """Split into training and held-out pictures, without dividing clips.

        The side depends only on the clip's name.

        Args:
            share: approximate share of pictures to hold out.
        """
        held = torch.tensor([is_held_out(clip, share) for clip in self.clips], dtype=torch.bool)
        return self.chosen(~held), self.chosen(held)

    def joined(self, others: "Photographs") -> "Photographs":
        """Return the concatenation with others of the same size."""
        tensors = ("pictures", "masks", "has_labels", "weights")
        both = {name: torch.cat([getattr(self, name), getattr(others, name)]) for name in tensors}
        return Photographs(self.names + others.names, self.clips + others.clips, **both)

    def chosen(self, which: Tensor) -> "Photographs":
        """Return the selected pictures.

        Args:
            which: selection mask. Shape (M,), bool.
        """
        taken = which.nonzero()[:, 0].tolist()
        names, clips = (tuple(all_of[index] for index in taken) for all_of in (self.names, self.clips))
        return Photographs(
            names, clips, self.pictures[which], self.masks[which], self.has_labels[which], self.weights[which]
        )


def load_photographs(
    folder: Path,
    *,
    side: int,
    use: str | None = "train",
    licences: Collection[str] | None = None,
    without: Collection[str] = (),
    progress: Callable[[Progress], object] | None = None,
) -> Photographs:
    """Decode all pictures of a folder of clips, resized to squares like the literature's evaluations.

    Args:
        folder: a tree of clips with a manifest.csv.
        side: height and width to resize to, S.
        use: take only clips with this `use` in the manifest.
        licences: take only clips with one of these values of `licence` in the manifest; None: all.
        without: folders to exclude, such as "still/labelme".
        progress: called from time to time.

    Raises:
        MissingFileError: the folder, a clip of this use and these licences, or an excluded folder does not exist.
        InputError: no clip is left, or a file cannot be read.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder; name one with images, masks and a manifest.csv")
    # A misspelled exclusion would silently include what must stay out.
    if unknown := [name for name in without if not (folder / name).is_dir()]:
        raise MissingFileError(f"{folder}: there is no folder {', '.join(unknown)} to exclude; check its name")
    dataset = open_clips(folder, size=None, use=use, licences=licences)
    clips = [clip for clip in dataset.clips if not {clip.name, _set_of(clip.name)} & set(without)]
    if not clips:
        raise InputError(f"{folder}: nothing is left without {', '.join(without)}; exclude fewer folders")
    names: list[str] = []
    origins: list[str] = []
    pictures: list[Tensor] = []
    masks: list[Tensor] = []
    labelled: list[bool] = []
    weights: list[float] = []
    started = time.perf_counter()
    for number, clip in enumerate(clips):
        found = list(_frames(clip, side))
        for name, picture, mask, has_labels in found:
            names.append(name)
            origins.append(clip.name)
            pictures.append(picture)
            masks.append(mask)
            labelled.append(has_labels)
            weights.append(CLIP_WEIGHT / len(found) if len(found) > 1 else 1.0)
        if progress is not None and (number % 50 == 0 or number + 1 == len(clips)):
            progress(
                Progress(
                    "read", number + 1, len(clips), (number + 1) / max(time.perf_counter() - started, 1e-9), "clips"
                )
            )
    return Photographs(
        tuple(names),
        tuple(origins),
        torch.stack(pictures),
        torch.stack(masks),
        torch.tensor(labelled),
        torch.tensor(weights),
    )


def _frames(clip: ClipFiles, side: int) -> Iterator[tuple[str, Tensor, Tensor, bool]]:
    has_labels = isinstance(clip, PictureFiles) and clip.labels is not None
    if has_labels:
        clip = replace(clip, labels=None)  # type: ignore[type-var]
    is_clip = clip.num_frames != 1
    for frame in clip.pictures():
        frame.check_sizes(clip.name)
        mask = frame.mask if has_labels else to_bytes(frame.mask)
        if has_labels and mask.max() > 255:
            raise InputError(f"{clip.name}: labels above 255 are not supported; renumber them")
        name = f"{clip.name}/{frame.name}" if is_clip else clip.name
        yield name, square(to_bytes(frame.composite), side), square(mask, side, exact=has_labels), has_labels


def square(codes: Codes, side: int, *, exact: bool = False) -> Tensor:
    """Resize to a square. Shape (H, W) or (H, W, 3) to (C, side, side).

    Args:
        codes: 8-bit codes, or labels.
        side: height and width.
        exact: do not interpolate, as for labels.
    """
    how = cv2.INTER_NEAREST if exact else cv2.INTER_AREA if min(codes.shape[:2]) > side else cv2.INTER_LINEAR
    resized = cv2.resize(codes.astype(np.uint8), (side, side), interpolation=how)
    return torch.from_numpy(np.ascontiguousarray(np.atleast_3d(resized).transpose(2, 0, 1)))


def _set_of(name: str) -> str:
    """Return the set that a clip or still belongs to: the first two parts of its name."""
    return "/".join(name.split("/")[:2])


def is_held_out(name: str, share: float) -> bool:
    """Whether a name belongs to the held-out share. It depends only on the name, so that splits are stable."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32
