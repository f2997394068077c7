"""Weight cards: origin, licence, training data and figures.

A card is a TOML file beside the weights, `<name>.toml` beside `<name>.safetensors`:

    name = "shotgrade"
    method = "shotgrade"
    title = "A grade for each shot, trained on recoloured films"
    licence = "Apache-2.0"
    sha256 = "64 hexadecimal digits, as `chromacord.weights.save` returns them"
    num_parameters = 1234567
    recipe = "recipes/shotgrade.toml"
    commit = "0123abc"
    limits = ["Colour only."]

    [[data]]
    name = "DAVIS 2017"
    licence = "CC BY 4.0"
    num_items = 60
    note = "may be left out"

    [training]
    steps = 20000
    machine = "any keys, with text or numbers"

    [[figures]]
    data = "davis-lut-dev"
    protocol = "hyoutube"
    command = "chromacord evaluate ..."
    commit = "4567def"
    values = { fmse = 1000.0, psnr = 30.0 }
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chromacord.errors import InputError
from chromacord.parsing import parse_toml, shown

Number = int | float

_END = 2**63
"""Exclusive upper bound of numbers, which also excludes NaN."""

_KINDS: Mapping[type, str] = {str: "text", int: "a whole number", float: "a number", dict: "a table", list: "a list"}


@dataclass(frozen=True)
class TrainingData:
    """One source of training data."""

    name: str
    licence: str
    num_items: int
    """Number of pictures or clips, according to the source."""

    note: str = ""


@dataclass(frozen=True)
class Figures:
    """Measured figures, and how to reproduce them."""

    data: str
    protocol: str
    command: str
    commit: str
    """Commit of the code that measured, which may differ from the one that trained."""

    values: Mapping[str, Number]
    """Figures by the keys used in `table.json`."""


@dataclass(frozen=True)
class Card:
    """What users should know before they use weights."""

    name: str
    method: str
    """Name of the method or flow source that the weights belong to."""

    title: str
    licence: str
    """SPDX identifier of the weights' licence."""

    sha256: str
    """Hash of the safetensors file."""

    num_parameters: int
    recipe: str
    """The recipe in the repository that they were trained with."""

    commit: str
    """Commit of the code that trained them."""

    data: tuple[TrainingData, ...]
    training: Mapping[str, str | Number]
    """Free-form facts, such as steps, samples, hours and machine."""

    figures: tuple[Figures, ...]
    limits: tuple[str, ...]
    """Known limitations, one per line."""

    use: str = ""
    """How to use the weights on the command line, if not by the method's option `weights`."""

    def describe(self) -> str:
        """Format the card as lines of text."""
        rows: list[tuple[str, str]] = [
            ("use", self.use or f"--method {self.method}:weights={self.name}"),
            ("licence", self.licence),
            ("parameters", f"{self.num_parameters:,}"),
            ("recipe", f"{self.recipe} at {self.commit}"),
            ("training", _listed(self.training)),
            *(("data", _data_line(each)) for each in self.data),
        ]
        for each in self.figures:
            rows.append(("figures", f"{each.data}, protocol {each.protocol}: {_listed(each.values)}"))
            rows.append(("figures", f"by {each.command} at {each.commit}"))
        rows += [("limits", line) for line in self.limits]
        lines, last = [f"{self.name}: {self.title}"], ""
        for heading, text in rows:
            lines.append(f"  {'' if heading == last else heading:<12}{text}")
            last = heading
        return "\n".join(lines)


@dataclass(frozen=True)
class ImportedCard:
    """What is known about imported weights: little. It is not a `Card`, and no shipped weights have one."""

    name: str
    method: str
    use: str
    """How to use the weights on the command line."""

    file: str
    """Name of the published file."""

    file_sha256: str
    sha256: str
    """Hash of the converted safetensors file."""

    num_values: int
    """Number of stored values, including batch norm statistics."""

    def toml(self) -> str:
        """Format the card as TOML."""
        lines: dict[str, str | int] = {
            "name": self.name,
            "method": self.method,
            "title": f"Imported from {self.file}, a checkpoint that others published",
            "use": self.use,
            "licence": "not known; ask who published the file",
            "training_data": "not known",
            "sha256": self.sha256,
            "num_values": self.num_values,
        }
        source = {"name": self.file, "sha256": self.file_sha256}
        written = "".join(f"{key} = {_toml(value)}\n" for key, value in lines.items())
        return f"{written}\n[imported_from]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in source.items())


def parse_card(content: bytes, *, where: str) -> Card:
    """Parse a card.

    Args:
        content: the TOML file.
        where: name of the file in messages.

    Raises:
        InputError: it is not TOML; or a key is missing, unknown or has the wrong type; names the key.
    """
    table = _Table(parse_toml(content, where=where, remedy="correct the card"), where)
    card = Card(
        name=table.text("name"),
        method=table.text("method"),
        title=table.text("title"),
        licence=table.text("licence"),
        sha256=table.text("sha256"),
        num_parameters=table.take("num_parameters", int),
        recipe=table.text("recipe"),
        commit=table.text("commit"),
        data=tuple(_data(each) for each in table.tables("data")),
        training=table.mapping("training", (str, int, float)),
        figures=tuple(_figures(each) for each in table.tables("figures")),
        limits=table.lines("limits"),
        use=table.text("use") if table.has("use") else "",
    )
    table.refuse_others()
    if not re.fullmatch("[0-9a-f]{64}", card.sha256):
        raise InputError(f"{where}: the key 'sha256' must be 64 hexadecimal digits, got {shown(card.sha256)}")
    return card


def _data(table: "_Table") -> TrainingData:
    note = table.text("note") if table.has("note") else ""
    data = TrainingData(table.text("name"), table.text("licence"), table.take("num_items", int), note)
    table.refuse_others()
    return data


def _figures(table: "_Table") -> Figures:
    figures = Figures(
        data=table.text("data"),
        protocol=table.text("protocol"),
        command=table.text("command"),
        commit=table.text("commit"),
        values=table.mapping("values", (int, float)),
    )
    table.refuse_others()
    return figures


class _Table:
    """A TOML table that reports invalid keys by name, and tracks which keys were not read."""

    def __init__(self, values: Mapping[str, Any], where: str, prefix: str = "") -> None:
        self._values, self._where, self._prefix = values, where, prefix
        self._known: set[str] = set()

    def has(self, key: str) -> bool:
        """Whether an optional key is present."""
        return key in self._values

    def take(self, key: str, kind: type) -> Any:
        """Return the value of a required key of this type."""
        self._known.add(key)
        if key not in self._values:
            raise InputError(f"{self._where}: the key {self._prefix + key!r} is missing; add it")
        return self._check(key, self._values[key], (kind,))

    def text(self, key: str) -> str:
        """Return non-empty text."""
        text: str = self.take(key, str)
        if not text.strip():
            raise InputError(f"{self._where}: the key {self._prefix + key!r} is empty; fill it in")
        return text

    def lines(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        return tuple(self._check(f"{key}[{number}]", line, (str,)) for number, line in enumerate(self.take(key, list)))

    def tables(self, key: str) -> list["_Table"]:
        """Return a non-empty list of tables."""
        tables = self.take(key, list)
        if not tables:
            raise InputError(f"{self._where}: the key {self._prefix + key!r} is empty; fill it in")
        places = [f"{key}[{number}]" for number in range(len(tables))]
        return [
            _Table(self._check(place, table, (dict,)), self._where, f"{place}.")
            for place, table in zip(places, tables, strict=True)
        ]

    def mapping(self, key: str, kinds: tuple[type, ...]) -> dict[str, Any]:
        """Return a non-empty table of arbitrary keys with values of these types."""
        values = self.take(key, dict)
        if not values:
            raise InputError(f"{self._where}: the key {self._prefix + key!r} is empty; fill it in")
        return {name: self._check(f"{key}.{name}", value, kinds) for name, value in values.items()}

    def refuse_others(self) -> None:
        """Refuse unknown keys, which are most likely misspelt."""
        others = sorted(self._values.keys() - self._known)
        if others:
            known = ", ".join(sorted(self._known))
            raise InputError(f"{self._where}: a card has no key {self._prefix + others[0]!r}; its keys are {known}")

    def _check(self, place: str, value: Any, kinds: tuple[type, ...]) -> Any:
        # In Python a bool is an int; in a card it is not.
        if not isinstance(value, kinds) or isinstance(value, bool) or not _is_bounded(value):
            wanted = " or ".join(_KINDS[kind] for kind in kinds)
            raise InputError(f"{self._where}: the key {self._prefix + place!r} must be {wanted}, got {shown(value)}")
        return value


def _is_bounded(value: Any) -> bool:
    """Whether a number is finite and in range."""
    return not isinstance(value, int | float) or abs(value) < _END


def _toml(value: str | int) -> str:
    """Format a value as TOML: JSON, except for the one character that only JSON accepts unescaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _listed(values: Mapping[str, str | Number]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _data_line(data: TrainingData) -> str:
    return f"{data.name} ({data.licence}): {data.num_items:,}" + (f"; {data.note}" if data.note else "")
