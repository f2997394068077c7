"""A session: files and options of one clip, as a JSON file that the page and the command line can open.

    {"format": "chromacord session", "version": 1,
     "clip": {"composite": "comp.mp4", "mask": "mask.mp4"},
     "options": {"method": "shotgrade", "exposure": 0.3, "strength": "tone=0.8,colour=1", "frames": [0, 48]},
     "encoding": {"codec": "h264", "crf": 16},
     "outputs": {"output": "harmonized.mp4"}}

`clip` and `outputs` hold paths by argument of `chromacord.harmonize_video`, absolute or relative to the session's
folder; `options` and `encoding` hold fields of `chromacord.Options` and `chromacord.Encoding`. Missing values have
their defaults.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from chromacord.api import harmonize_video
from chromacord.errors import InputError, one_of
from chromacord.job.options import Options
from chromacord.job.summary import Summary
from chromacord.parsing import parse_json, read_file, shown
from chromacord.typed_tables import check_fields
from chromacord.types import ALPHA_WORDS, Encoding, Progress

FORMAT, VERSION = "chromacord session", 1

MAX_BYTES = 1 << 20
"""Size limit of session files, which hold no grade."""

_INPUTS = ("composite", "mask", "foreground", "alpha", "background", "reference", "cuts", "grade_in")
_OUTPUTS = ("output", "grade_out", "lut_out", "preview", "foreground_out")
_WORDS = {"mask": ("alpha",), "alpha": ALPHA_WORDS, "cuts": ("none",)}
"""Words that are allowed instead of a path."""

_OPTIONS = tuple(each.name for each in fields(Options) if each.name != "encoding")
_ENCODING = tuple(each.name for each in fields(Encoding))
_REMEDY = "save it again in the page, or correct it"


@dataclass(frozen=True)
class Session:
    """Files and options of one clip. All parts hold only values that differ from the default."""

    clip: Mapping[str, str] = field(default_factory=dict)
    """Paths of inputs, by argument of `chromacord.harmonize_video`."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `chromacord.Options`, except `encoding`."""

    encoding: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `chromacord.Encoding`."""

    outputs: Mapping[str, str] = field(default_factory=dict)
    """Paths of outputs, by argument of `chromacord.harmonize_video`."""

    def __post_init__(self) -> None:
        """Check names and values.

        Raises:
            InputError: a name is unknown or a value is invalid; names it.
        """
        for name, known in (("clip", _INPUTS), ("options", _OPTIONS), ("encoding", _ENCODING), ("outputs", _OUTPUTS)):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise InputError(f'"{name}" is {shown(given)}; give values by name')
            for each in given:
                if each not in known:
                    raise InputError(f'"{name}" holds {shown(each)}; {one_of(each, known)}')
        for each in (*self.clip.values(), *self.outputs.values()):
            if not isinstance(each, str) or not each:
                raise InputError(f"{shown(each)} is not the path of a file; name one")
        _ = self.how

    @property
    def how(self) -> Options:
        """The options as one object.

        Raises:
            InputError: a value is invalid; names it.
        """
        values = dict(self.options)
        if isinstance(frames := values.get("frames"), list):
            values["frames"] = tuple(frames)
        check_fields(Encoding, self.encoding)
        return Options(**values, encoding=Encoding(**self.encoding) if self.encoding else None)

    def run(self, *, progress: Callable[[Progress], object] | None = None, **changes: Any) -> Summary:
        """Analyse and render the clip, as `chromacord.harmonize_video` does.

        Args:
            progress: called several times a second.
            changes: further arguments of `harmonize_video`, such as `force=True`.

        Raises:
            ChromacordError: see `chromacord.harmonize_video`.
        """
        return harmonize_video(**self.clip, **self.outputs, progress=progress, options=self.how, **changes)

    def to_json(self, folder: Path | None = None) -> dict[str, Any]:
        """Return the session as values of JSON.

        Args:
            folder: the file's folder, to which paths inside it become relative; None: paths stay as they are.
        """
        whole: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        for name in ("clip", "options", "encoding", "outputs"):
            values = dict(getattr(self, name))
            if name in ("clip", "outputs") and folder is not None:
                values = {key: _relative(path, folder) for key, path in values.items()}
            if values or name == "clip":
                whole[name] = values
        return whole

    @classmethod
    def from_json(cls, data: object, *, where: object = "session", folder: Path | None = None) -> "Session":
        """Return the session of parsed JSON.

        Args:
            data: what `to_json` returned.
            where: the file, for messages.
            folder: the file's folder, to which relative paths refer; None: paths stay as they are.

        Raises:
            InputError: it is not a session, or a value is invalid; names it.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InputError(f"{where}: is not a chromacord session; {_REMEDY}")
        if data.get("version") != VERSION or isinstance(data["version"], bool):
            raise InputError(f"{where}: has version {shown(data.get('version'))}, this chromacord reads {VERSION}")
        parts = {name: data.get(name, {}) for name in ("clip", "options", "encoding", "outputs")}
        try:
            session = cls(**parts)
            if folder is None:
                return session
            clip = {name: _absolute(name, path, folder) for name, path in session.clip.items()}
            outputs = {name: _absolute(name, path, folder) for name, path in session.outputs.items()}
            return cls(clip, session.options, session.encoding, outputs)
        except (InputError, TypeError) as error:
            raise InputError(f"{where}: {error}; {_REMEDY}") from error


def is_session(path: Path | str) -> bool:
    """Whether a file's first bytes are those of a session; False if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return f'"{FORMAT}"'.encode() in file.read(200)
    except (OSError, ValueError):
        return False


def read_session(path: Path) -> Session:
    """Read a session file; relative paths in it refer to its folder.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is not a session, or a value in it is invalid; names it.
    """
    data = parse_json(read_file(path, limit=MAX_BYTES, remedy=_REMEDY), where=path, remedy=_REMEDY)
    return Session.from_json(data, where=path, folder=path.absolute().parent)


def session_text(session: Session, folder: Path) -> str:
    """Return the text of a session file that will be in a folder."""
    return json.dumps(session.to_json(folder), indent=1, ensure_ascii=False) + "\n"


def _relative(path: str, folder: Path) -> str:
    whole = Path(path)
    return str(whole.relative_to(folder)) if whole.is_absolute() and whole.is_relative_to(folder) else path


def names_file(name: str, value: str) -> bool:
    """Whether an input of a clip is a path, not a word or numbers of cuts.

    Args:
        name: argument of `chromacord.harmonize_video`.
        value: its value.
    """
    is_numbers = name == "cuts" and value.replace(",", "").replace(" ", "").isdecimal()
    return not is_numbers and value not in _WORDS.get(name, ())


def _absolute(name: str, path: str, folder: Path) -> str:
    return os.path.join(folder, path) if names_file(name, path) else path  # noqa: PTH118
