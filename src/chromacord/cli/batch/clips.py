"""Expand a command's paths into clips and their outputs, and detect clashes."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromacord.analysis.cuts import edl_file
from chromacord.errors import InputError, OutputExistsError
from chromacord.grade.naming import clip_name, folder_name

if TYPE_CHECKING:
    from chromacord.job.options import Options

PLACEHOLDER = re.compile(r"\{(name|folder|parent)\}")
StrPath = str | os.PathLike[str]

OUTPUTS = ("output", "grade_out", "lut_out", "preview", "foreground_out")
NAMES = ("name", "folder", "parent")
"""Placeholders, in braces, allowed in the paths of a clip's other files."""

_NO_FILES = ("options", "resume")


@dataclass(frozen=True)
class Clip:
    """The files of one clip. Fields are named like the arguments of `harmonize_video`."""

    output: str | None = None
    """None: only decide the grade."""

    composite: str | None = None
    mask: str | None = None
    foreground: str | None = None
    alpha: str | None = None
    background: str | None = None
    grade_in: str | None = None
    grade_out: str | None = None
    lut_out: str | None = None
    preview: str | None = None
    foreground_out: str | None = None
    reference: str | None = None
    cuts: str | None = None
    """Frame numbers, a keyword or a file: see `chromacord.analysis.cuts`."""

    options: "Options | None" = None
    """The clip's own options; None: those common to all clips."""

    resume: bool = False
    """Whether to keep a record, and to skip the clip if it is up to date: see `chromacord.cli.batch.resuming`."""

    @property
    def source(self) -> str:
        """The file by which the clip is identified."""
        return self.composite or self.foreground or ""

    @property
    def written(self) -> str:
        """Its first output."""
        return next(iter(self.outputs.values()))

    @property
    def files(self) -> dict[str, str]:
        """All paths by field name, as `harmonize_video` takes them."""
        return {name: path for name, path in vars(self).items() if path is not None and name not in _NO_FILES}

    @property
    def inputs(self) -> dict[str, str]:
        """Input paths by field name."""
        named = self.files | {"cuts": edl_file(self.cuts)}
        return {name: str(path) for name, path in named.items() if path is not None and name not in OUTPUTS}

    @property
    def outputs(self) -> dict[str, str]:
        """Output paths by field name."""
        return {name: self.files[name] for name in self.files if name in OUTPUTS}


def plan_clips(
    composites: Sequence[str], foregrounds: Sequence[str], others: Mapping[str, StrPath | None]
) -> list[Clip]:
    """Determine the files of each clip.

    Args:
        composites: one per clip; or empty, with
        foregrounds: one per clip.
        others: the other fields of `Clip`. In them, {name} stands for the composite's or foreground's name without
            folder, suffix and frame number, {folder} for the name of its folder, and {parent} for the path of that
            folder.

    Returns:
        One clip for each composite or foreground; a single one if there is at most one of either, even if incomplete.

    Raises:
        InputError: there are several clips of both kinds; a path is empty; or a clip's name cannot be part of a path.
        OutputExistsError: all clips would have the same output.
    """
    named = [("COMPOSITE", path) for path in composites] + [("--foreground", path) for path in foregrounds]
    named += [(f"--{field.replace('_', '-')}", path) for field, path in others.items()]  # type: ignore[misc]
    refuse_empty(named)
    if composites and foregrounds and len(composites) + len(foregrounds) > 2:
        raise InputError(f"{foregrounds[0]}: give either composites with --mask, or --foreground, not both")
    pairs = list(zip_longest(composites, foregrounds)) or [(None, None)]
    clips = [
        Clip(composite=composite, foreground=foreground, **_named(composite or foreground or "", others))
        for composite, foreground in pairs
    ]
    if len(clips) > 1:
        _refuse_shared(clips, others)
    return clips


def refuse_empty(named: Iterable[tuple[str, StrPath | None]]) -> None:
    """Refuse empty paths, which result from unset shell variables.

    Args:
        named: pairs of an option's or argument's name and its path.

    Raises:
        InputError: a path is empty; names the option.
    """
    if empty := next((name for name, path in named if path is not None and not os.fspath(path)), None):
        raise InputError(f"{empty} is empty; name a file")


def _named(source: str, others: Mapping[str, StrPath | None]) -> dict[str, Any]:
    values = {"name": clip_name(source), "folder": folder_name(source), "parent": str(Path(source).parent)}

    def value(found: re.Match[str]) -> str:
        text = values[found[1]]
        if found[1] != "parent" and text in ("", ".", ".."):
            raise InputError(f"{source}: {found[0]} would be {text!r}, which is not a name; rename the file")
        return text

    given = {field: os.fspath(path) for field, path in others.items() if path is not None}
    return {field: PLACEHOLDER.sub(value, path) for field, path in given.items()}


def _refuse_shared(clips: Sequence[Clip], others: Mapping[str, StrPath | None]) -> None:
    for field in OUTPUTS:
        path = others.get(field)
        if path is not None and not PLACEHOLDER.search(os.fspath(path)):
            example = Path(path).parent / ("{name}" + Path(path).suffix)
            raise OutputExistsError(
                f"{path}: is one output for {len(clips)} clips; put {{name}} or {{folder}} in it, as in '{example}'"
            )
