"""Grade and recolour batches of pictures with the public API of chromacord."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import chromacord

METHODS = ["shotgrade", "mkl", "reinhard", "histogram"]
CONSISTENCIES = ["smooth", "shot", "frame"]


def grade(
    image: torch.Tensor, mask: torch.Tensor, *, method: str, consistency: str, save_as: str = ""
) -> tuple[chromacord.Grade]:
    """Decide the grade of a batch, as one clip.

    Args:
        image: pictures in order, RGB in [0, 1]. Shape (B, H, W, 3).
        mask: 1 for the foreground; one for each picture, or one for all. Shape (B, H, W), (1, H, W) or (H, W).
        method, consistency: see `chromacord.Options`.
        save_as: name of a LUT, CDL or .json in the host's output folder; "" for none.

    Raises:
        ChromacordError: the batch or an option cannot be used; says why.
    """
    target = _output(save_as) if save_as else None
    masks = _masks(image, mask)
    # Files, because only they are read twice; one picture at a time is held.
    with tempfile.TemporaryDirectory(prefix="chromacord-") as folder:
        for index, picture in enumerate(_arrays(image)):
            _write(Path(folder) / f"image.{index:06d}.png", picture[..., ::-1])
            if index < len(masks):
                _write(Path(folder) / f"mask.{index:06d}.png", masks[index].cpu().numpy())
        numbered = "%06d" if len(masks) > 1 else "000000"
        decided = chromacord.analyse(
            f"{folder}/image.%06d.png",
            mask=f"{folder}/mask.{numbered}.png",
            method=method,
            consistency=consistency if target is None or target.suffix == ".json" else "shot",
        )
    if target is not None:
        kind = {"grade_out": target} if target.suffix == ".json" else {"lut_out": target}
        chromacord.render(decided, **kind)  # type: ignore[arg-type]
    return (decided,)


def apply(
    image: torch.Tensor, mask: torch.Tensor, grade: chromacord.Grade, *, strength: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply a grade under a mask.

    Args:
        image, mask: see `grade`.
        grade: from the node Grade, for this batch or one as long.
        strength: 0 for none, 1 for the full grade.

    Returns:
        The pictures, shape (B, H, W, 3), and the foreground alone with the mask as straight alpha, shape (B, H, W, 4).
    """
    masks, by_hand = _masks(image, mask), grade.by_hand(chromacord.Hand(chromacord.Strength(strength, strength)))
    cutout = torch.empty((*image.shape[:3], 4), dtype=torch.float32)
    for index, picture in enumerate(_arrays(image)):
        weight = masks[min(index, len(masks) - 1)].cpu().numpy()[..., None]
        shot = by_hand.shot_at(index)
        transform = None if shot is None else shot.at(index)
        after = picture
        if transform is not None:
            planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
            after = transform(planes)[0].transpose(1, 2, 0).clip(0, 1)
        cutout[index, ..., :3] = torch.from_numpy(np.ascontiguousarray(after))
        cutout[index, ..., 3:] = torch.from_numpy(weight)
    alpha = cutout[..., 3:]
    # Into new memory, frame by frame: an expression over the batch would hold it several times.
    result = torch.empty_like(image, dtype=torch.float32, device="cpu")
    for index in range(len(image)):
        torch.lerp(image[index].float().cpu(), cutout[index, ..., :3], alpha[index], out=result[index])
    return result, cutout


def harmonize(
    image: torch.Tensor, mask: torch.Tensor, *, method: str, consistency: str, strength: float
) -> tuple[torch.Tensor, torch.Tensor, chromacord.Grade]:
    """Grade a batch and apply the grade; see `grade` and `apply`."""
    (decided,) = grade(image, mask, method=method, consistency=consistency)
    return *apply(image, mask, decided, strength=strength), decided


def _masks(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    masks = mask.reshape(-1, *mask.shape[-2:]).float()
    if masks.shape[1:] != image.shape[1:3] or len(masks) not in (1, len(image)):
        raise chromacord.errors.MismatchError(
            f"the masks have shape {tuple(mask.shape)}, the pictures {tuple(image.shape[:3])}; give one mask, or "
            "one for each picture, of the pictures' size"
        )
    return masks


def _arrays(image: torch.Tensor) -> Iterator[Any]:
    for picture in image:
        yield picture[..., :3].float().cpu().numpy()


def _write(path: Path, picture: Any) -> None:
    codes = np.rint(np.clip(picture, 0, 1) * 65535).astype(np.uint16)
    if not cv2.imwrite(str(path), codes, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise chromacord.errors.OutputError(f"{path}: cannot be written; is the disk full?")


def _output(name: str) -> Path:
    """Return a path in the host's output folder, which is the only one that a workflow may write to."""
    from folder_paths import get_output_directory  # ComfyUI's own module

    if Path(name).name != name:
        raise chromacord.errors.OutputError(f"{name}: name a file without a folder; it goes to the output folder")
    return Path(get_output_directory()) / name
