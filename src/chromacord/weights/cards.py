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
"""Numbers lie below; NaN does not."""

_KINDS: Mapping[type, str] = {str: "text", int: "a whole number", float: "a number", dict: "a table", list: "a list"}


@dataclass(frozen=True)
class TrainingData:
    """One source of what weights were trained on."""

    name: str
    licence: str
    num_items: int
    """Pictures or clips, whichever the source has."""

    note: str = ""


@dataclass(frozen=True)
class Figures:
    """What was measured of weights, and how to measure it again."""

    data: str
    protocol: str
    command: str
    commit: str
    """Of the code that measured, not of the code that trained."""

    values: Mapping[str, Number]
    """By the figure's key, as in `table.json`."""


@dataclass(frozen=True)
class Card:
    """What there is to know of weights before they are used."""

    name: str
    method: str
    """The name of the method, or of the source of flow, that they belong to."""

    title: str
    licence: str
    """Of the weights, by its SPDX name."""

    sha256: str
    """Of the safetensors file."""

    num_parameters: int
    recipe: str
    """The file in the repository that they were trained from."""

    commit: str
    """Of the code that trained them."""

    data: tuple[TrainingData, ...]
    training: Mapping[str, str | Number]
    """Steps, samples, hours, machine, and whatever else there is to say."""

    figures: tuple[Figures, ...]
    limits: tuple[str, ...]
    """What the weights are not good for, a line each."""

    use: str = ""
    """Of the command line, where it is not the method's option `weights` that takes them."""

    def describe(self) -> str:
        """Return the card as lines of text, for people."""
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
    """What there is to know of weights that others trained: little. It is no `Card`, and nothing ships with one."""

    name: str
    method: str
    use: str
    """Of the command line."""

    file: str
    """The published file's name."""

    file_sha256: str
    sha256: str
    """Of the safetensors file that was made of it."""

    num_values: int
    """Numbers in it, statistics of batch norms too."""

    def toml(self) -> str:
        """Return the card's file."""
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
    """Read a card.

    Args:
        content: the TOML file.
        where: what to call the file in messages.

    Raises:
        InputError: it is no TOML; or a key is missing, unknown or holds something of another type; names the key.
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
    """A table of a TOML file that says which key is wrong, and tracks which keys were not read."""

    def __init__(self, values: Mapping[str, Any], where: str, prefix: str = "") -> None:
        self._values, self._where, self._prefix = values, where, prefix
        self._known: set[str] = set()

    def has(self, key: str) -> bool:
        """Whether an optional key is there."""
        return key in self._values

    def take(self, key: str, kind: type) -> Any:
        """Return the value of a key, which must be there and of this type."""
        self._known.add(key)
        if key not in self._values:
            raise InputError(f"{self._where}: the key {self._prefix + key!r} is missing; add it")
        return self._check(key, self._values[key], (kind,))

    def text(self, key: str) -> str:
        """Return text that says something."""
        text: str = self.take(key, str)
        if not text.strip():
            raise InputError(f"{self._where}: the key {self._prefix + key!r} is empty; fill it in")
        return text

    def lines(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(self._check(f"{key}[{number}]", line, (str,)) for number, line in enumerate(self.take(key, list)))

    def tables(self, key: str) -> list["_Table"]:
        """Return a list of tables, at least one."""
        tables = self.take(key, list)
        if not tables:
            raise InputError(f"{self._where}: the key {self._prefix + key!r} is empty; fill it in")
        places = [f"{key}[{number}]" for number in range(len(tables))]
        return [
            _Table(self._check(place, table, (dict,)), self._where, f"{place}.")
            for place, table in zip(places, tables, strict=True)
        ]

    def mapping(self, key: str, kinds: tuple[type, ...]) -> dict[str, Any]:
        """Return a table of any keys with values of these types, at least one."""
        values = self.take(key, dict)
        if not values:
            raise InputError(f"{self._where}: the key {self._prefix + key!r} is empty; fill it in")
        return {name: self._check(f"{key}.{name}", value, kinds) for name, value in values.items()}

    def refuse_others(self) -> None:
        """Refuse keys that a card does not have: most likely one is misspelt."""
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
    """Whether a number is one that counts or measures something."""
    return not isinstance(value, int | float) or abs(value) < _END


def _toml(value: str | int) -> str:
    """Return a value as TOML has it: JSON, but for the one character that only JSON takes as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _listed(values: Mapping[str, str | Number]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _data_line(data: TrainingData) -> str:
    return f"{data.name} ({data.licence}): {data.num_items:,}" + (f"; {data.note}" if data.note else "")
