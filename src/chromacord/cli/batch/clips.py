"""Expand a command's paths into clips and their outputs, and detect clashes."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from chromacord.analysis.cuts import edl_file
from chromacord.errors import InputError, OutputExistsError
from chromacord.grade.naming import clip_name, folder_name

_PLACEHOLDER = re.compile(r"\{(name|folder|parent)\}")
StrPath = str | os.PathLike[str]

_OUTPUTS = ("output", "grade_out", "lut_out", "preview", "foreground_out")


@dataclass(frozen=True)
class Clip:
    """One clip, and where everything of it lies. Fields are called as the arguments of `harmonize_video`."""

    output: str | None = None
    """None: only a grade is decided."""

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
    """Frame numbers, a word or a file: see `chromacord.analysis.cuts`."""

    @property
    def source(self) -> str:
        """The file that the clip is called by."""
        return self.composite or self.foreground or ""

    @property
    def written(self) -> str:
        """The first of its outputs."""
        return next(iter(self.outputs.values()))

    @property
    def inputs(self) -> dict[str, str]:
        """The files that are read, by the names of their fields."""
        named = vars(self) | {"cuts": edl_file(self.cuts)}
        return {name: str(path) for name, path in named.items() if path is not None and name not in _OUTPUTS}

    @property
    def outputs(self) -> dict[str, str]:
        """What is written, by the names of its fields."""
        return {name: path for name, path in vars(self).items() if path is not None and name in _OUTPUTS}


def plan_clips(
    composites: Sequence[str], foregrounds: Sequence[str], others: Mapping[str, StrPath | None]
) -> list[Clip]:
    """Name the files of each clip.

    Args:
        composites: one for each clip; or none, with
        foregrounds: one for each clip.
        others: the other fields of `Clip`, in which {name} stands for the name of the clip's composite or foreground
            without folder, suffix and frame number, {folder} for the name of the folder that it lies in, and
            {parent} for the path of that folder.

    Returns:
        One clip for each composite or foreground; a single one where there is at most one of both, whatever it lacks.

    Raises:
        InputError: several clips of both kinds; an empty path; or a clip whose name cannot be part of another's.
        OutputExistsError: an output is the same for all clips.
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
    """Refuse empty paths, as a shell makes of a variable that is not set.

    Args:
        named: each with the name of its option or argument.

    Raises:
        InputError: says which.
    """
    if empty := next((name for name, path in named if path is not None and not os.fspath(path)), None):
        raise InputError(f"{empty} is empty; name a file")


def _named(source: str, others: Mapping[str, StrPath | None]) -> dict[str, str]:
    values = {"name": clip_name(source), "folder": folder_name(source), "parent": str(Path(source).parent)}

    def value(found: re.Match[str]) -> str:
        text = values[found[1]]
        if found[1] != "parent" and text in ("", ".", ".."):
            raise InputError(f"{source}: {found[0]} would be {text!r}, which is not a name; rename the file")
        return text

    given = {field: os.fspath(path) for field, path in others.items() if path is not None}
    return {field: _PLACEHOLDER.sub(value, path) for field, path in given.items()}


def _refuse_shared(clips: Sequence[Clip], others: Mapping[str, StrPath | None]) -> None:
    for field in _OUTPUTS:
        path = others.get(field)
        if path is not None and not _PLACEHOLDER.search(os.fspath(path)):
            example = Path(path).parent / ("{name}" + Path(path).suffix)
            raise OutputExistsError(
                f"{path}: is one output for {len(clips)} clips; put {{name}} or {{folder}} in it, as in '{example}'"
            )
