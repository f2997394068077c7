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
from dataclasses import MISSING, dataclass, fields

from chromacord.errors import InputError
from chromacord.parsing import parse_toml, shown
from chromacord.typed_tables import build

Number = int | float


class _Filled:
    """A dataclass whose required fields must not be empty."""

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            empty = not value.strip() if isinstance(value, str) else value == () or value == {}
            if empty and each.default is MISSING:
                raise InputError(f"{each.name} is empty; fill it in")


@dataclass(frozen=True)
class TrainingData(_Filled):
    """One source of training data."""

    name: str
    licence: str
    num_items: int
    """Number of pictures or clips, according to the source."""

    note: str = ""


@dataclass(frozen=True)
class Figures(_Filled):
    """Measured figures, and how to reproduce them."""

    data: str
    protocol: str
    command: str
    commit: str
    """Commit of the code that measured, which may differ from the one that trained."""

    values: Mapping[str, Number]
    """Figures by the keys used in `table.json`."""


@dataclass(frozen=True)
class Card(_Filled):
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
    card = build(Card, parse_toml(content, where=where, remedy="correct the card"), where=where)
    if not re.fullmatch("[0-9a-f]{64}", card.sha256):
        raise InputError(f"{where}: sha256 must be 64 hexadecimal digits, got {shown(card.sha256)}")
    return card


def _toml(value: str | int) -> str:
    """Format a value as TOML: JSON, except for the one character that only JSON accepts unescaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _listed(values: Mapping[str, str | Number]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _data_line(data: TrainingData) -> str:
    return f"{data.name} ({data.licence}): {data.num_items:,}" + (f"; {data.note}" if data.note else "")
