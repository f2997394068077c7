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
"""How many stills a clip counts for, however many frames it has: its frames look alike."""


@dataclass(frozen=True, eq=False)
class Photographs:
    """M pictures of one size, and their masks."""

    names: tuple[str, ...]
    clips: tuple[str, ...]
    """The clip that each belongs to; a still is one by itself."""

    pictures: Tensor
    """RGB codes. Shape (M, 3, S, S), uint8."""

    masks: Tensor
    """Coverage as codes, or labels where `has_labels`. Shape (M, 1, S, S), uint8."""

    has_labels: Tensor
    """Shape (M,), bool."""

    weights: Tensor
    """How often each is drawn, relative to a still. Shape (M,)."""

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.names)

    def sets(self) -> dict[str, int]:
        """Return how many pictures come from each folder."""
        return dict(Counter(_set_of(name) for name in self.names))

    def foreground(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Return the masks of pictures that show the same: of labels the union of one to three, or of all.

        Args:
            indices: of one picture, or of frames of one clip. Shape (T,).
            generator: what labels are drawn with.

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
        """Divide into pictures to train on and pictures held out, whole clips to either side.

        Which side a clip goes to depends on nothing but its name.

        Args:
            share: of the pictures to hold out, about.
        """
        held = torch.tensor([is_held_out(clip, share) for clip in self.clips], dtype=torch.bool)
        return self.chosen(~held), self.chosen(held)

    def joined(self, others: "Photographs") -> "Photographs":
        """Return these and others of the same size."""
        tensors = ("pictures", "masks", "has_labels", "weights")
        both = {name: torch.cat([getattr(self, name), getattr(others, name)]) for name in tensors}
        return Photographs(self.names + others.names, self.clips + others.clips, **both)

    def chosen(self, which: Tensor) -> "Photographs":
        """Return some of the pictures.

        Args:
            which: Shape (M,), bool.
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
    """Decode all pictures of a folder of clips, and reduce them to squares as the field's evaluations do.

    Args:
        folder: a tree of clips with a manifest.csv.
        side: height and width to resize to, S.
        use: only clips whose `use` in the manifest this is.
        licences: only clips whose `licence` in the manifest is one of these; None: all.
        without: folders to leave out, as "still/labelme".
        progress: called now and then.

    Raises:
        MissingFileError: there is no such folder, no clip of this use and these licences, or nothing to leave out.
        InputError: no clip is left, or a file cannot be read.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder; name one with images, masks and a manifest.csv")
    # A misspelled exclusion would include what must stay out.
    if unknown := [name for name in without if not (folder / name).is_dir()]:
        raise MissingFileError(f"{folder}: there is no folder {', '.join(unknown)} to exclude; check its name")
    dataset = open_clips(folder, size=None, use=use, licences=licences)
    clips = [clip for clip in dataset.clips if not {clip.name, _set_of(clip.name)} & set(without)]
    if not clips:
        raise InputError(f"{folder}: nothing is left without {', '.join(without)}; leave out less")
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
        exact: no value may be mixed of others, as labels must not.
    """
    how = cv2.INTER_NEAREST if exact else cv2.INTER_AREA if min(codes.shape[:2]) > side else cv2.INTER_LINEAR
    resized = cv2.resize(codes.astype(np.uint8), (side, side), interpolation=how)
    return torch.from_numpy(np.ascontiguousarray(np.atleast_3d(resized).transpose(2, 0, 1)))


def _set_of(name: str) -> str:
    """Return the folder that a clip or still belongs to: its first two parts."""
    return "/".join(name.split("/")[:2])


def is_held_out(name: str, share: float) -> bool:
    """Whether a name belongs to the share that is held out; it depends on nothing but the name."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32
