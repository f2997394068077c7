"""Recipes: TOML files that define training runs, one for each set of weights.

    name = "shotgrade"              # of the weights
    method = "shotgrade"            # a key of METHODS
    seed = 0
    precision = "bf16"              # "fp32" (default), "bf16", "fp16"

    [data]                          # options of the objective's data
    [network]                       # options of the network's class

    [[stage]]                       # one or more, in order; each starts from the previous one's weights
    objective = "grade"             # a key of OBJECTIVES
    steps = 1000
    batch = 32
    learning_rate = 1e-3

An unknown key is an error, so that a typo cannot silently train something else.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from chromacord.errors import InputError, MissingFileError
from chromacord.parsing import parse_toml, read_file, shown
from chromacord.typed_tables import build

Table = TypeVar("Table")

Precision = Literal["fp32", "bf16", "fp16"]
Optimizer = Literal["adamw", "adam"]
Schedule = Literal["cooldown", "cosine", "milestones"]

MAX_BATCH = 16_384
MAX_SIDE = 4096
"""Maximum picture side in pixels. Memory is allocated for what a recipe asks: limits keep typos from exhausting it."""

_MAX_BYTES = 64 << 10
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Stage:
    """One stage of training."""

    objective: str
    """A key of `chromacord.lab.objectives.protocol.OBJECTIVES`."""

    steps: int
    batch: int
    """Samples per step, over all devices."""

    learning_rate: float
    optimizer: Optimizer = "adamw"
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 0
    """Number of steps in which the learning rate rises from 0."""

    schedule: Schedule = "cooldown"
    """"cooldown": constant, then linear to 0 over the last `cooldown` steps, so that the length can be changed until
    the cooldown begins; "cosine": to 0 over all steps; "milestones": multiplied by `factor` at each of them."""

    cooldown: int = 0
    milestones: tuple[int, ...] = ()
    """Milestones, in steps."""

    factor: float = 0.1
    rates: Mapping[str, float] = field(default_factory=dict)
    """Factors of the learning rate for parts of the network, by the first component of parameter names, for example to
    tune pretrained flow more slowly than new layers."""

    max_norm: float | None = None
    """Maximum gradient norm; None: no clipping."""

    average: float = 0.0
    """Decay of the weights' EMA, which is saved as the result; 0: no EMA."""

    validate_every: int = 1000
    save_every: int = 500
    log_every: int = 50
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the objective."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value is out of range; names it.
        """
        check_range("batch", self.batch, 1, MAX_BATCH)
        for name in ("steps", "validate_every", "save_every", "log_every"):
            check_range(name, getattr(self, name), 1)
        for name in ("warmup", "weight_decay"):
            check_range(name, getattr(self, name), 0)
        for name, values in (("betas", self.betas), ("milestones", self.milestones)):
            for value in values:
                check_range(name, value, 0, 1 if name == "betas" else math.inf, is_open=True)
        check_range("cooldown", self.cooldown, 0, self.steps)
        check_range("average", self.average, 0, 1, is_open=True)
        for part, value in self.rates.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise InputError(f"rates: {part} must be a number above 0, got {value!r}")
        for name in ("learning_rate", "factor", "max_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} must be above 0, got {value}")


@dataclass(frozen=True)
class Recipe:
    """A training run."""

    name: str
    method: str
    stages: tuple[Stage, ...]
    seed: int = 0
    precision: Precision = "fp32"
    title: str = ""
    start: str | None = None
    """A .safetensors file with initial weights for all of the network, or for a part of it."""

    data: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the seed.

        Raises:
            InputError: the seed is out of range.
        """
        check_range("seed", self.seed, 0)

    @property
    def num_steps(self) -> int:
        """Number of steps of all stages."""
        return sum(stage.steps for stage in self.stages)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is not TOML, or a key is missing, unknown or of the wrong type; names it.
    """
    try:
        content = read_file(path, limit=_MAX_BYTES)
    except MissingFileError:
        raise MissingFileError(f"{path}: no such recipe; name a TOML file, such as those in recipes/") from None
    values = parse_toml(content, where=path, remedy="correct the recipe")
    if "stages" in values:
        raise InputError(f"{path}: stages is not known; write each stage as a table [[stage]]")
    stages = values.pop("stage", None)
    if not isinstance(stages, list) or not stages or not all(isinstance(stage, dict) for stage in stages):
        raise InputError(f"{path}: has no [[stage]]; write at least one such table")
    built = tuple(build(Stage, stage, where=f"{path} stage {number}") for number, stage in enumerate(stages, 1))
    recipe = build(Recipe, {**values, "stages": built}, where=str(path))
    is_file_name = recipe.name.isprintable() and Path(recipe.name).name == recipe.name
    if not recipe.name or not is_file_name or len(recipe.name.encode()) > _LONGEST_NAME:
        raise InputError(f"{path}: name must be a file's name without folders, got {shown(recipe.name)}")
    return recipe


def check_range(name: str, value: float, least: float, most: float = math.inf, *, is_open: bool = False) -> None:
    """Check that a number is in a range.

    Args:
        name: name of the number in errors.
        value: the number; NaN is outside every range.
        least, most: ends of the range.
        is_open: whether `most` is excluded.

    Raises:
        InputError: it is outside; names it, and the range.
    """
    if not least <= value <= most or (is_open and value == most):
        wanted = f"be {least} or more" if most == math.inf else f"lie in {least}..{most}"
        end = f", below {most}" if is_open and most != math.inf else ""
        raise InputError(f"{name} must {wanted}{end}, got {value}")


def data_table(kind: type[Table], recipe: Recipe, *, without: Sequence[str] = (), where: str) -> Table:
    """Build the table [data], whose keys depend on the objective.

    Args:
        kind: dataclass of the table.
        recipe: the run's recipe.
        without: names of tables in it that `overridden` builds.
        where: names the stage in errors.

    Raises:
        InputError: a key is missing, unknown, of the wrong type or out of range; names it.
    """
    values = {name: value for name, value in recipe.data.items() if name not in without}
    return build(kind, values, where=f"{where} [data]")


def overridden(kind: type[Table], recipe: Recipe, name: str, own: Mapping[str, Any], *, where: str) -> Table:
    """Build a table inside [data], with a stage's own values. Both are checked, so that errors name the right table.

    Args:
        kind: dataclass of the table.
        recipe: the run's recipe.
        name: name of the table in [data] and in the stage's options.
        own: the stage's values.
        where: names the stage in errors.

    Raises:
        InputError: a key is unknown, of the wrong type or out of range; names it.
    """
    table = recipe.data.get(name, {})
    if not isinstance(table, Mapping):
        raise InputError(f"{where} [data]: {name} must be a table, got {table!r}")
    built = build(kind, table, where=f"{where} [data.{name}]")
    return build(kind, {**table, **own}, where=f"{where} [stage.options.{name}]") if own else built


def check_method(recipe: Recipe, stage: Stage, *trained: str, where: str) -> None:
    """Check that a stage's objective trains the recipe's method.

    Raises:
        InputError: it trains only others.
    """
    if recipe.method not in trained:
        raise InputError(
            f"{where}: the objective {stage.objective!r} trains {' or '.join(trained)}, not {recipe.method!r}"
        )


def as_values(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values, for storing and comparing."""
    return asdict(recipe)
