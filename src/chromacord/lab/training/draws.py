"""Training samples for pixel methods: composites made on the fly, or those of HYouTube and iHarmony4."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import torch

from chromacord.errors import InputError
from chromacord.lab.composites.augment import Augmentation, ClipBatch, CompositeMaker
from chromacord.lab.composites.recorded import RecordedClips, divided_clips
from chromacord.lab.data import FileDataset
from chromacord.lab.data.hyoutube import open_hyoutube
from chromacord.lab.data.iharmony4 import open_iharmony4
from chromacord.lab.training.picture_choice import GradeData, digest, read_pictures
from chromacord.lab.training.recipe import MAX_SIDE, Recipe, Stage, check_range, data_table, overridden
from chromacord.typed_tables import build
from chromacord.types import Progress, Size

_VALIDATION_SEED, _VALIDATION_LOOKS = 20, 256
_MAX_READERS = 256


@dataclass(frozen=True)
class ClipData(GradeData):
    """The table [data] of a recipe."""

    layout: Literal["photographs", "hyoutube", "iharmony4"] = "photographs"
    """Content of the folder: pictures with masks, from which composites are made; or recorded composites in one of two
    layouts, of which `split` is used for training."""

    side: int = 256
    """Height and width of the composites."""

    split: str = "train"
    num_readers: int = 4
    """Number of threads that decode pictures of HYouTube and iHarmony4."""

    mirrored_share: float = 0.0
    """Share of mirrored windows of HYouTube and iHarmony4; composites made on the fly always mirror half."""

    num_validated: int = 64
    """Number of validation frames, in windows."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        super().__post_init__()
        check_range("side", self.side, 1, MAX_SIDE)
        check_range("num_readers", self.num_readers, 1, _MAX_READERS)
        check_range("num_validated", self.num_validated, 1)
        check_range("mirrored_share", self.mirrored_share, 0, 1)


@dataclass(frozen=True)
class StageOptions:
    """Options of every stage that trains on composites."""

    augmentation: Mapping[str, Any] = field(default_factory=dict)
    """This stage's overrides of [data.augmentation]."""


Options = TypeVar("Options", bound=StageOptions)


class Tables(NamedTuple, Generic[Options]):
    """The parsed tables of a stage."""

    data: ClipData
    augmentation: Augmentation
    options: Options


def read_tables(recipe: Recipe, stage: Stage, options: type[Options], *, where: str) -> Tables[Options]:
    """Parse a recipe's tables about data, augmentation and a stage.

    Args:
        recipe: the run's recipe.
        stage: a stage of the recipe.
        options: class of the stage's options.
        where: names the stage in errors.

    Raises:
        InputError: a key is missing, unknown, of the wrong type or out of range; names it.
    """
    chosen = build(options, stage.options, where=f"{where} [stage.options]")
    augmentation = overridden(Augmentation, recipe, "augmentation", chosen.augmentation, where=where)
    return Tables(data_table(ClipData, recipe, without=("augmentation",), where=where), augmentation, chosen)


class ClipSource(Protocol):
    """A source of windows."""

    def draw_clips(self, count: int, length: int, generator: torch.Generator) -> ClipBatch:
        """Draw windows. See `CompositeMaker.draw_clips`."""


class Sources(NamedTuple):
    """Training and validation data."""

    trained: ClipSource
    held_out: ClipSource | None
    """None: there is no validation."""

    sets: Mapping[str, int]
    """Number of training pictures per set."""

    fingerprint: str


def open_sources(
    data: ClipData,
    augmentation: Augmentation,
    folder: Path,
    *,
    seed: int,
    progress: Callable[[Progress], object] | None = None,
) -> Sources:
    """Open the training and validation data of a recipe.

    Args:
        data: the recipe's table [data].
        augmentation: how to make composites; unused if they are recorded.
        folder: folder of the training data.
        seed: seed of the random looks.
        progress: called while pictures are read.

    Raises:
        InputError: the folder does not match the table, or no training data is left.
    """
    if data.layout == "photographs":
        return _made(data, augmentation, folder, seed, progress)
    opened = open_hyoutube if data.layout == "hyoutube" else open_iharmony4
    return _recorded(data, opened(folder, split=data.split, size=None))


def _made(
    data: ClipData,
    augmentation: Augmentation,
    folder: Path,
    seed: int,
    progress: Callable[[Progress], object] | None,
) -> Sources:
    trained, held_out, fingerprint, luts, others = read_pictures(data, folder, progress=progress)
    maker = CompositeMaker(trained, luts, augmentation, side=data.side, seed=seed)
    plain = replace(plain_augmentation(), spacing=augmentation.spacing)
    validating = None
    if len(held_out):
        validating = CompositeMaker(held_out, others, plain, side=data.side, seed=_VALIDATION_SEED)
    return Sources(maker, validating, trained.sets(), fingerprint)


def plain_augmentation() -> Augmentation:
    """Return how validation composites are made: recoloured like HYouTube's, and nothing else."""
    return replace(
        Augmentation(),
        lut_share=1.0,
        enhanced_share=1.0,
        enhanced_look_share=0.0,
        mixed_share=0.0,
        unchanged_share=0.0,
        relit_share=0.0,
        foreign_mask_share=0.0,
        inverted_share=0.0,
        num_looks=_VALIDATION_LOOKS,
    )


def _recorded(data: ClipData, dataset: FileDataset) -> Sources:
    trained, held_out = divided_clips(dataset, data.held_out)
    options: dict[str, Any] = {"size": Size(data.side, data.side), "num_readers": data.num_readers}
    if data.held_out and not held_out:
        raise InputError(
            f"{dataset.name}: no clip is held out at [data] held_out = {data.held_out:g}; choose more, or 0"
        )
    source = RecordedClips(trained, mirrored_share=data.mirrored_share, **options)
    return Sources(
        source, RecordedClips(held_out, **options) if held_out else None, source.sets(), digest(dataset.names)
    )


def validation_windows(source: ClipSource | None, num_frames: int, length: int) -> Iterable[ClipBatch]:
    """Iterate over the validation windows, which are always the same.

    Args:
        source: source of windows; None: there are none.
        num_frames: approximate number of frames in all windows.
        length: frames per window.
    """
    if source is not None:
        generator = torch.Generator().manual_seed(_VALIDATION_SEED)
        for _ in range(max(1, num_frames // length)):
            yield source.draw_clips(1, length, generator)
