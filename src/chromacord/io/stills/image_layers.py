"""Choose the picture among the layers of an EXR, to which renderers add depth, normals and light passes.

A layer is the common part of channel names before the last dot ("beauty.R") within a part of the file, which may have a
name too. Channels without a dot form the unnamed layer of their part.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chromacord.errors import InputError, one_of

UNNAMED = "rgba"
"""Name of the unnamed layer in lists and options."""

# fmt: off
_BEAUTY = frozenset({
    "beauty", "bty", "c", "ci", "col", "color", "colour", "combined", "comp", "composite", "final", "full", "image",
    "main", "master", "pass", "primary", "rgb", "rgba",
})
_DATA = frozenset({
    "alpha", "ao", "crypto", "cryptomatte", "depth", "id", "ids", "index", "mask", "materialid", "matte", "mist",
    "motion", "motionvector", "mv", "n", "normal", "normals", "nrm", "objectid", "occlusion", "p", "pos",
    "position", "positions", "pref", "pworld", "samples", "st", "uv", "uvs", "variance", "vector", "vectors",
    "velocity", "wireframe", "xyz", "z", "zdepth",
})
# fmt: on
_VIEWS = frozenset({"left", "right", "l", "r"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_COLORS = (("R", "G", "B"), ("r", "g", "b"))


@dataclass(frozen=True)
class Layer:
    """Channels that form a picture."""

    name: str
    """Names of the part (if there are several) and of the layer; "" if neither is named."""

    subimage: int
    channels: tuple[int, ...]
    """Channel indices in the order R G B [A], or Y [A]."""

    @property
    def title(self) -> str:
        """Name of the layer in lists."""
        return self.name or UNNAMED

    @property
    def is_grey(self) -> bool:
        """Whether the layer has only luminance."""
        return len(self.channels) < 3

    @property
    def is_view(self) -> bool:
        """Whether the name only denotes an eye of a stereo picture."""
        return bool(self.name) and not _components(self.name)

    @property
    def rank(self) -> int:
        """Likelihood of being the picture; lower is more likely."""
        # Last, even after grey pictures: normals and positions have three channels and look like a picture to a
        # program.
        if is_data(self.name):
            return 10
        if not _components(self.name):
            found = 1 if self.is_view else 0
        else:
            words = _words(_components(self.name)[-1])
            found = 1 if words and _BEAUTY.issuperset(words) else 2
        return found + 3 * self.is_grey


def is_data(name: str) -> bool:
    """Whether a layer's name is one for data: depth, normals, masks."""
    return any(word in _DATA for component in _components(name) for word in _words(component))


def _components(name: str) -> list[str]:
    """Return the components of a layer's name without those that only name an eye."""
    return [component for component in name.split(".") if component and component.lower() not in _VIEWS]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def find_layers(parts: Sequence[tuple[str, Sequence[str]]]) -> list[Layer]:
    """Return every layer that may be a picture, in file order: R, G and B, or Y alone.

    CIE X, Y and Z, and luminance with RY and BY, do not count as grey pictures.

    Args:
        parts: name and channels of each part.
    """
    return [
        layer
        for number, (name, channels) in enumerate(parts)
        for layer in _layers_of(number, name if len(parts) > 1 else "", channels)
    ]


def choose_layer(layers: Sequence[Layer], wanted: str | None = None) -> Layer:
    """Return the picture of a file, or the requested layer.

    Args:
        layers: at least one.
        wanted: name of a layer, or its last component, case-insensitive; None: the one most likely to be the picture.

    Raises:
        InputError: the layer does not exist, or the name is ambiguous.
    """
    if wanted is None:
        return min(layers, key=lambda layer: layer.rank)
    name = wanted.lower()
    found = [layer for layer in layers if layer.title.lower() == name]
    # Multi-part files repeat the part's name before the layer's; users name the last part only.
    found = found or [layer for layer in layers if layer.title.lower().rpartition(".")[2] == name]
    if len(found) == 1:
        return found[0]
    titles = [layer.title for layer in layers]
    if found:
        raise InputError(f"{wanted!r} matches several layers; choose one of {', '.join(titles)}")
    raise InputError(f"{wanted!r} is not a layer; {one_of(wanted, titles)}")


def rivals(layers: Sequence[Layer], chosen: Layer) -> tuple[str, ...]:
    """Return other candidates for the picture; none if the choice is clear: an unnamed layer, not stereo."""
    others = [layer for layer in layers if layer is not chosen and not layer.is_grey]
    return tuple(layer.title for layer in others if chosen.name or layer.is_view)


def _layers_of(subimage: int, part: str, names: Sequence[str]) -> list[Layer]:
    by_layer: dict[str, dict[str, int]] = {}
    for index, name in enumerate(names):
        prefix, _, channel = name.rpartition(".")
        by_layer.setdefault(prefix, {})[channel] = index
    pictures = ((prefix, _picture(places)) for prefix, places in by_layer.items())
    found = [Layer(_joined(part, prefix), subimage, channels) for prefix, channels in pictures if channels]
    if not found and len(names) == 1:
        # A matte may be a single channel of any name.
        found.append(Layer(_joined(part, names[0]), subimage, (0,)))
    return found


def _picture(places: dict[str, int]) -> tuple[int, ...]:
    for colors in _COLORS:
        if all(color in places for color in colors):
            alpha = "A" if colors[0] == "R" else "a"
            return tuple(places[name] for name in (*colors, alpha) if name in places)
    # With these beside it, Y is CIE luminance or the luma of OpenEXR's luminance-chroma, not a grey picture.
    if "Y" in places and not {"X", "Z", "RY", "BY"} & set(places):
        return tuple(places[name] for name in ("Y", "A") if name in places)
    return ()


def _joined(part: str, prefix: str) -> str:
    """Return the name of a layer; many writers repeat the part's name in its channels."""
    if not prefix or prefix == part or prefix.startswith(part + "."):
        return prefix or part
    return f"{part}.{prefix}" if part else prefix
