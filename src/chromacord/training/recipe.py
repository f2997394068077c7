"""Recipes: what a training run is, as TOML. One file for each set of weights that ships.

    name = "shotgrade"              # of the weights
    method = "shotgrade"            # a key of METHODS
    seed = 0
    precision = "bf16"              # "fp32" (default), "bf16", "fp16"

    [data]                          # options of the objective's data
    [network]                       # options of the network's class

    [[stage]]                       # one or more, in order; each starts from what the one before it made
    objective = "grade"             # a key of OBJECTIVES
    steps = 1000
    batch = 32
    learning_rate = 1e-3

A key that is not known is an error: a slip of the pen must not train something else.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from chromacord.errors import InputError, MissingFileError

Precision = Literal["fp32", "bf16", "fp16"]
Optimizer = Literal["adamw", "adam"]
Schedule = Literal["cooldown", "cosine", "milestones"]

Options = TypeVar("Options")


@dataclass(frozen=True)
class Stage:
    """One stage of training."""

    objective: str
    """A key of `chromacord.training.objectives.OBJECTIVES`: what is learned from what."""

    steps: int
    batch: int
    """Samples a step, over all devices."""

    learning_rate: float
    optimizer: Optimizer = "adamw"
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 0
    """Steps in which the learning rate rises from 0."""

    schedule: Schedule = "cooldown"
    """"cooldown": constant, then linear to 0 over the last `cooldown` steps, so that a run can be given another length
    until then; "cosine": to 0 over all steps; "milestones": times `factor` at each of them."""

    cooldown: int = 0
    milestones: tuple[int, ...] = ()
    """In steps."""

    factor: float = 0.1
    max_norm: float | None = None
    """Gradients longer than this are cut to it; None: none are."""

    average: float = 0.0
    """Decay of the running mean of the weights, which is what ships; 0: the last weights ship."""

    validate_every: int = 1000
    save_every: int = 500
    log_every: int = 50
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the objective."""


@dataclass(frozen=True)
class Recipe:
    """A training run."""

    name: str
    method: str
    stages: tuple[Stage, ...]
    seed: int = 0
    precision: Precision = "fp32"
    title: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is no TOML, or a key is missing, unknown or of the wrong type; names it.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such recipe")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no TOML: {error}") from error
    stages = values.pop("stage", None)
    if not isinstance(stages, list) or not stages:
        raise InputError(f"{path}: has no [[stage]]; a recipe needs at least one")
    built = tuple(
        _check(parse(Stage, stage, where=f"{path} stage {n}"), f"{path} stage {n}") for n, stage in enumerate(stages, 1)
    )
    recipe = parse(Recipe, {**values, "stages": built}, where=str(path))
    if recipe.precision not in get_args(Precision):
        raise InputError(f"{path}: precision must be one of {', '.join(get_args(Precision))}, not {recipe.precision!r}")
    return recipe


def parse(kind: type[Options], values: Mapping[str, Any], *, where: str) -> Options:
    """Build a dataclass from a table of TOML.

    Args:
        kind: a dataclass of plain values.
        values: by name of field; lists become tuples.
        where: what an error names.

    Raises:
        InputError: a key is missing, unknown or of the wrong type.
    """
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(values.keys() - known.keys()):
        raise InputError(f"{where}: {', '.join(unknown)} is not known; choose of {', '.join(known)}")
    required = [name for name, each in known.items() if each.default is MISSING and each.default_factory is MISSING]
    if missing := [name for name in required if name not in values]:
        raise InputError(f"{where}: {', '.join(missing)} is missing")
    built = kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
    for name in values:
        _check_type(getattr(built, name), known[name].type, f"{where}: {name}")
    return built


def _check_type(value: object, declared: object, where: str) -> None:
    expected: dict[object, tuple[type, ...]] = {
        int: (int,),
        float: (int, float),
        str: (str,),
        bool: (bool,),
        float | None: (int, float),
        str | None: (str,),
    }
    kinds = expected.get(declared)
    if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise InputError(f"{where} must be {' or '.join(kind.__name__ for kind in kinds)}, got {value!r}")


def _check(stage: Stage, where: str) -> Stage:
    for name in ("steps", "batch", "validate_every", "save_every", "log_every"):
        if getattr(stage, name) < 1:
            raise InputError(f"{where}: {name} must be 1 or more, got {getattr(stage, name)}")
    for name, choices in (("optimizer", get_args(Optimizer)), ("schedule", get_args(Schedule))):
        if getattr(stage, name) not in choices:
            raise InputError(f"{where}: {name} must be one of {', '.join(choices)}, got {getattr(stage, name)!r}")
    if not 0 <= stage.cooldown <= stage.steps or not 0 <= stage.average < 1:
        raise InputError(f"{where}: cooldown must lie in 0..steps, and average in 0..1")
    return stage


def as_values(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values, to store and compare."""
    return asdict(recipe)
