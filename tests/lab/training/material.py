"""A folder of training data and recipes, small enough to train in seconds.

Pictures are written with OpenCV and LUTs as text, so that a fault in chromacord's own writers cannot hide one in its
readers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 32
"""Of the network, and of most pictures here."""

NETWORK = {"side": SIDE, "lut_size": 3, "hidden": 16, "encoder": False, "dropout": 0.0}
GAIN, OFFSET = 0.6, 0.1
"""What `luts/dim.cube` does to all three channels."""

_CHECKED_LICENCES = {"still/free": "CC0", "still/bought": "research only"}

Pixels = npt.NDArray[np.uint8]


def picture(seed: int, side: int = SIDE) -> Pixels:
    """Make smooth shades with some grain, as RGB codes. Shape (side, side, 3)."""
    rng = np.random.default_rng(seed)
    shades = cv2.resize(rng.integers(30, 226, (4, 4, 3)).astype(np.float32), (side, side))
    return np.clip(shades + rng.integers(-12, 13, shades.shape), 0, 255).astype(np.uint8)


def disc(seed: int, side: int = SIDE) -> Pixels:
    """Make a soft disc somewhere in the middle, as codes. Shape (side, side)."""
    x, y = np.random.default_rng(seed).uniform(0.4, 0.6, 2) * side
    rows, columns = np.mgrid[:side, :side]
    return np.rint(np.clip((side / 4 - np.hypot(rows - y, columns - x)) / 2 + 0.5, 0, 1) * 255).astype(np.uint8)


def write_still(folder: Path, name: str, pixels: Pixels, mask: Pixels) -> None:
    """Write a picture and its mask into a folder of stills, or a frame into a clip, without loss."""
    for kind, codes in (("images", pixels[..., ::-1]), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / kind / f"{name}.png"), codes)


def write_cube(path: Path, gain: float = GAIN, offset: float = OFFSET) -> Path:
    """Write a LUT that scales and shifts all channels, of two nodes a side: with so few, it is exactly that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nodes = [(r, g, b) for b in (0, 1) for g in (0, 1) for r in (0, 1)]
    rows = [" ".join(f"{gain * value + offset:.6f}" for value in node) for node in nodes]
    path.write_text("\n".join(["LUT_3D_SIZE 2", *rows, ""]))
    return path


def write_manifest(folder: Path, rows: Sequence[str]) -> None:
    """Write a manifest of lines `path,kind,mask,use,licence`."""
    (folder / "manifest.csv").write_text("\n".join(["path,kind,mask,use,licence", *rows, ""]))


def make_data(folder: Path) -> Path:
    """Write 14 stills of two licences, a clip of four frames, a set for another use, and two LUTs."""
    for index in range(7):
        for place in _CHECKED_LICENCES:
            seed = 10 * index + len(place)
            write_still(folder / place, f"p{index}", picture(seed, 48), disc(seed, 48))
    for index in range(4):
        write_still(folder / "video/walk", f"{index:05d}", picture(500), disc(index))
    write_still(folder / "still/dev", "p0", picture(600), disc(600))
    write_manifest(
        folder,
        [
            *(f"{place},still,binary,train,{licence}" for place, licence in _CHECKED_LICENCES.items()),
            "video/walk,video,binary,train,CC0",
            "still/dev,still,binary,dev,CC0",
        ],
    )
    write_cube(folder / "luts/dim.cube")
    write_cube(folder / "luts/faint.cube", 0.5, 0.4)
    return folder


def stage_values(**changed: Any) -> dict[str, Any]:
    """Return a short stage with some values changed; None removes one."""
    values = {"objective": "grade", "steps": 12, "batch": 4, "learning_rate": 3e-3, "warmup": 2, "cooldown": 4}
    values |= {"average": 0.8, "max_norm": 1.0, "log_every": 1, "validate_every": 6, "save_every": 2}
    return {name: value for name, value in (values | changed).items() if value is not None}


def write_recipe(path: Path, *stages: Mapping[str, Any], data: Mapping[str, Any] | None = None, **changed: Any) -> Path:
    """Write a recipe for `make_data`'s folder.

    Args:
        path: of the recipe.
        stages: one table each; none: that of `stage_values`.
        data: values of [data], in addition to those below.
        changed: values of the recipe itself; None takes one out.
    """
    values: dict[str, Any] = {"name": "tiny", "method": "shotgrade", "seed": 5, **changed}
    table = {"picture_side": 48, "luts": "luts", "held_out": 0.3, **(data or {})}
    augmentation = {"num_looks": 8, "lut_share": 1.0, "enhanced_share": 0.0, "mixed_share": 0.0}
    lines = [f"{name} = {_toml(value)}" for name, value in values.items() if value is not None and name != "network"]
    lines += ["[network]", *(f"{key} = {_toml(value)}" for key, value in values.get("network", NETWORK).items())]
    augmentation |= table.pop("augmentation", {})
    changes = table.pop("changes", {})
    for name, values_of in (("data", table), ("data.augmentation", augmentation), ("data.changes", changes)):
        if not values_of:  # recipes of other layouts have no such table
            continue
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values_of.items())]
    for stage in stages or (stage_values(),):
        options = stage.get("options", {})
        lines += ["[[stage]]", *(f"{key} = {_toml(value)}" for key, value in stage.items() if key != "options")]
        lines += ["[stage.options]", *(f"{key} = {_toml(value)}" for key, value in options.items())]
    path.write_text("\n".join([*lines, ""]))
    return path


def _toml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else repr(value)
