"""Training samples of pixel methods: composites made on the fly, or those of HYouTube and iHarmony4."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import torch

from chromacord.errors import InputError
from chromacord.lab.composites.augment import Augmentation, ClipBatch, CompositeMaker
from chromacord.lab.composites.recorded import RecordedClips, divided_clips
from chromacord.lab.data import FileDataset
from chromacord.lab.data.hyoutube import open_hyoutube
from chromacord.lab.data.iharmony4 import open_iharmony4
from chromacord.lab.objectives.shot_grades import GradeData, divided_luts, plain_augmentation
from chromacord.lab.training.picture_choice import read_named_luts, read_pictures
from chromacord.lab.training.recipe import MAX_SIDE, Recipe, Stage, check_range
from chromacord.typed_tables import build
from chromacord.types import Progress, Size

_VALIDATION_SEED = 20
_MAX_READERS = 256


@dataclass(frozen=True)
class ClipData(GradeData):
    """The table [data] of a recipe."""

    layout: Literal["photographs", "hyoutube", "iharmony4"] = "photographs"
    """What the folder holds: pictures with masks, of which composites are made; or composites in one of two layouts, of
    which `split` is trained on."""

    side: int = 256
    """Height and width of the composites."""

    split: str = "train"
    num_readers: int = 4
    """Threads that decode pictures of HYouTube and iHarmony4."""

    mirrored_share: float = 0.0
    """Windows of HYouTube and iHarmony4 that are mirrored; of composites made on the fly half of them always are."""

    num_validated: int = 64
    """Frames that validate, in windows."""

    def __post_init__(self) -> None:
        """Refuse values that leave nothing to train on.

        Raises:
            InputError: names the value.
        """
        super().__post_init__()
        check_range("side", self.side, 1, MAX_SIDE)
        check_range("num_readers", self.num_readers, 1, _MAX_READERS)
        check_range("num_validated", self.num_validated, 1)
        check_range("mirrored_share", self.mirrored_share, 0, 1)


@dataclass(frozen=True)
class StageOptions:
    """The options of every stage that learns composites."""

    augmentation: Mapping[str, Any] = field(default_factory=dict)
    """What this stage draws otherwise than [data.augmentation] says."""


Options = TypeVar("Options", bound=StageOptions)


class Tables(NamedTuple, Generic[Options]):
    """What a recipe says of a stage, in parts."""

    data: ClipData
    augmentation: Augmentation
    options: Options


def read_tables(recipe: Recipe, stage: Stage, options: type[Options], *, where: str) -> Tables[Options]:
    """Read what a recipe says of the data, of how composites are made, and of a stage.

    Args:
        recipe: of the run.
        stage: of the recipe.
        options: the class of the stage's own.
        where: names the stage in errors.

    Raises:
        InputError: a key is missing, unknown, of the wrong type or out of range; names it.
    """
    values: dict[str, Any] = dict(recipe.data)
    drawn = values.pop("augmentation", {})
    if not isinstance(drawn, Mapping):
        raise InputError(f"{where} [data]: augmentation must be a table, got {drawn!r}")
    chosen = build(options, stage.options, where=f"{where} [stage.options]")
    augmentation = build(Augmentation, {**drawn, **chosen.augmentation}, where=f"{where} [data.augmentation]")
    return Tables(build(ClipData, values, where=f"{where} [data]"), augmentation, chosen)


class ClipSource(Protocol):
    """What windows are drawn from."""

    def draw_clips(self, count: int, length: int, generator: torch.Generator) -> ClipBatch:
        """Draw windows. See `CompositeMaker.draw_clips`."""


class Sources(NamedTuple):
    """What trains, and what validates."""

    trained: ClipSource
    held_out: ClipSource | None
    """None: nothing does."""

    sets: Mapping[str, int]
    """Pictures of each set that is trained on."""

    fingerprint: str


def open_sources(
    data: ClipData,
    augmentation: Augmentation,
    folder: Path,
    *,
    seed: int,
    progress: Callable[[Progress], object] | None = None,
) -> Sources:
    """Open what a recipe trains on.

    Args:
        data: the recipe's table.
        augmentation: how composites are made; of no use where they are there.
        folder: of the training data.
        seed: of the random looks.
        progress: called while pictures are read.

    Raises:
        InputError: the folder does not hold what the table says, or nothing of it trains.
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
    trained, held_out, names = read_pictures(data, folder, progress=progress)
    luts = read_named_luts(data.luts, data, folder)
    tables, others = divided_luts(list(luts.values()), data.held_out_luts)
    maker = CompositeMaker(trained, tables, augmentation, side=data.side, seed=seed)
    plain = replace(plain_augmentation(), spacing=augmentation.spacing)
    validating = None
    if len(held_out):
        validating = CompositeMaker(held_out, others, plain, side=data.side, seed=_VALIDATION_SEED)
    return Sources(maker, validating, trained.sets(), _digest([*names, *luts]))


def _recorded(data: ClipData, dataset: FileDataset) -> Sources:
    trained, held_out = divided_clips(dataset, data.held_out)
    options: dict[str, Any] = {"size": Size(data.side, data.side), "num_readers": data.num_readers}
    if data.held_out and not held_out:
        raise InputError(
            f"{dataset.name}: no clip is held out at [data] held_out = {data.held_out:g}; choose more, or 0"
        )
    source = RecordedClips(trained, mirrored_share=data.mirrored_share, **options)
    return Sources(
        source, RecordedClips(held_out, **options) if held_out else None, source.sets(), _digest(dataset.names)
    )


def validation_windows(source: ClipSource | None, num_frames: int, length: int) -> Iterable[ClipBatch]:
    """Iterate over the windows that validate, always the same ones.

    Args:
        source: what they are drawn from; None: none are.
        num_frames: of all windows, about.
        length: frames of each.
    """
    if source is not None:
        generator = torch.Generator().manual_seed(_VALIDATION_SEED)
        for _ in range(max(1, num_frames // length)):
            yield source.draw_clips(1, length, generator)


def _digest(names: Sequence[str]) -> str:
    return sha256("\n".join(names).encode()).hexdigest()
