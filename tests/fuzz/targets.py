"""Every parser of a file or a value, with a good file of its kind."""

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import nn

from chromacord.analysis.cuts import given_numbers
from chromacord.analysis.given_cuts import read_cuts
from chromacord.color.cube import cube_text
from chromacord.color.transforms import AffineField, Lut3d, lattice
from chromacord.errors import InputError
from chromacord.grade.by_hand import Hand, Strength
from chromacord.grade.file import grade_text, read_grade
from chromacord.grade.keys import Grade, Key, Shot
from chromacord.io import open_source
from chromacord.io.stills.patterns import find_images
from chromacord.lab.data import open_dataset
from chromacord.lab.data.clip_folder import open_clips
from chromacord.lab.data.luts import read_luts
from chromacord.lab.evaluation.records import Header, Record, read_records
from chromacord.lab.metrics.protocols import PROTOCOLS
from chromacord.lab.objectives.protocol import check_objectives
from chromacord.lab.published import weights_of
from chromacord.lab.training.checkpoint import CHECKPOINT, Checkpoint, load_checkpoint, restore, save_checkpoint
from chromacord.lab.training.log import LOG, RunLog
from chromacord.lab.training.optimization import averaged, build_optimizer
from chromacord.lab.training.recipe import Recipe, Stage, as_values, read_recipe
from chromacord.lab.weight_files import load_into, packed, renamed
from chromacord.masks.edge import Edge
from chromacord.matte.levels import Levels
from chromacord.matte.screen_key import parse_color
from chromacord.matte.tracked import parse_box
from chromacord.methods import load_method
from chromacord.render.finish.shadow import parse_shadow
from chromacord.render.finish.wrap import parse_wrap
from chromacord.types import PixelFormat, Size
from chromacord.weights.cards import parse_card
from tests.hyoutube_lookalike import make_lookalike
from tests.images import noise, write
from tests.scenes import describe
from tests.weights.test_weights import CARD


class Target(NamedTuple):
    """A parser, and a file that it reads."""

    content: bytes
    read: Callable[[bytes], object]
    """Writes a file of this content, and parses it."""


def make_targets(folder: Path) -> dict[str, Target]:
    """Return all parsers by name; each has a separate folder."""
    targets: dict[str, Target] = {}
    for name, make in MAKERS.items():
        place = folder / name.replace(" ", "_")
        place.mkdir(parents=True)
        targets[name] = make(place)
    return targets


def _of_file(path: Path, content: bytes, parse: Callable[[Path], object]) -> Target:
    def read(changed: bytes) -> object:
        path.write_bytes(changed)
        return parse(path)

    return Target(content, read)


def _grade(folder: Path) -> Target:
    matrix = AffineField.from_matrix(np.eye(3, dtype=np.float32)[None] * 1.25, np.float32([[0.1, -0.2, 0.3]]))
    lut = Lut3d(lattice(2)[None])
    keys = (Key(0, 0.25, matrix), Key(6, 0.5, matrix.with_parameters(matrix.parameters * 2), 0.75))
    shots = (Shot(0, 10, keys, Hand(Strength.both(0.5))), Shot(10, 20, (Key(12, 0.1, lut),)))
    text = grade_text(Grade(shots, "made", "smooth", Fraction(24000, 1001), 20))

    def parse(path: Path) -> object:
        grade = read_grade(path)
        means = [mean.to_lut(3) for shot in grade.shots if (mean := shot.mean()) is not None]
        return [shot.at(index) for index in range(20) if (shot := grade.shot_at(index))], means

    return _of_file(folder / "grade.json", text.encode(), parse)


def _cube(folder: Path) -> Target:
    text = cube_text(Lut3d(lattice(3)[None]), title="made", size=3)
    picture = np.random.default_rng(0).random((1, 3, 4, 4), np.float32)
    return _of_file(folder / "a.cube", text.encode(), lambda path: [cube(picture) for cube in read_luts(path).values()])


def _zip(folder: Path) -> Target:
    packed_luts = io.BytesIO()
    with zipfile.ZipFile(packed_luts, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("1.cube", "more/2.cube", "readme.txt"):
            archive.writestr(name, cube_text(Lut3d(lattice(2)[None]), title=name, size=2))
    return _of_file(folder / "luts.zip", packed_luts.getvalue(), read_luts)


def _safetensors(folder: Path) -> Target:
    module = nn.Sequential(nn.Linear(30, 20), nn.BatchNorm1d(20))
    return _of_file(folder / "a.safetensors", packed(module.state_dict()), lambda path: load_into(module, path))


def _published(folder: Path, *, zipped: bool = True) -> Target:
    module = nn.Sequential(nn.Linear(30, 20), nn.BatchNorm1d(20))
    stored = io.BytesIO()
    torch.save({"state_dict": module.state_dict()}, stored, _use_new_zipfile_serialization=zipped)
    names = {key: key for key in module.state_dict()}
    parse = lambda path: weights_of(path, lambda state: renamed(state, module, names))  # noqa: E731
    return _of_file(folder / "a.pth", stored.getvalue(), parse)


def _run(folder: Path) -> Target:
    stage = Stage("grade", 100, 4, 0.01, cooldown=30)
    recipe, module = Recipe("tiny", "shotgrade", (stage,)), nn.Linear(3, 2)
    optimizer = build_optimizer(module, stage)
    module(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    states = module.state_dict(), module.state_dict(), optimizer.state_dict()
    save_checkpoint(folder, Checkpoint(as_values(recipe), "data", 0, 3, *states, torch.get_rng_state()))

    def parse(path: Path) -> object:
        found, average = load_checkpoint(folder, recipe, "data"), averaged(module)
        assert found is not None
        restore(found, folder, module=module, average=average, optimizer=build_optimizer(module, stage))
        return found

    return _of_file(folder / CHECKPOINT, (folder / CHECKPOINT).read_bytes(), parse)


def _log(folder: Path) -> Target:
    entries = [{"kind": kind, "step": step, "fmse": 1.5 / step} for kind in ("train", "validate") for step in (1, 2)]
    content = "".join(json.dumps(entry) + "\n" for entry in entries).encode()

    def parse(path: Path) -> object:
        with RunLog(folder, step=2) as log:
            return log.entries("train")

    return _of_file(folder / LOG, content, parse)


def _card(folder: Path) -> Target:
    content = CARD.format(sha256=64 * "a").encode()
    return Target(content, lambda changed: parse_card(changed, where="a.toml").describe())


def _recipe(folder: Path) -> Target:
    text = (Path(__file__).parent.parent.parent / "recipes/issam.toml").read_bytes()
    return _of_file(folder / "r.toml", text, lambda path: check_objectives(read_recipe(path)))


def _manifest(folder: Path) -> Target:
    for name in ("a", "b"):
        for kind in ("images", "masks"):
            (folder / name / kind).mkdir(parents=True)
            cv2.imwrite(str(folder / name / kind / "0.png"), np.full((4, 4), 255, np.uint8))
    content = b"path,kind,mask,use,licence\na,still,binary,train,MIT\nb,video,labels,train,CC0\n"
    return _of_file(folder / "manifest.csv", content, lambda path: open_clips(folder, use="train").fingerprint)


def _hyoutube(folder: Path) -> Target:
    make_lookalike(folder)
    path = folder / "test_frames.txt"
    return _of_file(path, path.read_bytes(), lambda path: open_dataset(folder).fingerprint)


def _iharmony4(folder: Path) -> Target:
    for kind, names in {
        "composite_images": ["c1_1_1.jpg", "c1_1_2.jpg"],
        "masks": ["c1_1.png"],
        "real_images": ["c1.jpg"],
    }.items():
        (folder / "HCOCO" / kind).mkdir(parents=True)
        for name in names:
            (folder / "HCOCO" / kind / name).touch()
    content = b"c1_1_1.jpg\nc1_1_2.jpg\n"
    return _of_file(folder / "HCOCO/HCOCO_test.txt", content, lambda path: open_dataset(folder).fingerprint)


def _records(folder: Path) -> Target:
    header = Header("set-test", "ab" * 32, 2, ("hyoutube",), (256, 256), False, "dis", None, "1.0")
    figures = {"hyoutube": dict.fromkeys(PROTOCOLS["hyoutube"].metrics, (1.5, None))}
    records = [Record(clip, "mkl", 2, figures, {}, 0.1, 0.2) for clip in ("a", "b")]
    lines = [{"header": asdict(header)}, *map(asdict, records)]
    return _of_file(folder / "records.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode(), read_records)


def _spec(folder: Path) -> Target:
    text = b"shotgrade:memory=0.5:caution=4:per_frame=true:side=128"
    return Target(text, lambda changed: load_method(changed.decode("latin-1")))


def _pattern(folder: Path) -> Target:
    for number in (1, 2, 4):
        (folder / f"f.{number:04d}.png").touch()

    def read(changed: bytes) -> object:
        # Longer names, and those of several lines, are the command line's to refuse.
        return find_images(folder / " ".join(changed[:200].decode("latin-1").splitlines()), hold=True)

    return Target(b"f.%04d.png", read)


def _image(folder: Path, suffix: str, dtype: str) -> Target:
    path = write(folder / f"a{suffix}", noise(3, dtype), dtype)
    return _of_file(path, path.read_bytes(), lambda path: list(open_source(path).frames()))


def _edl(folder: Path) -> Target:
    content = b"""TITLE: REEL 1
FCM: DROP FRAME
001  A001  V  C        00:00:10:00 00:00:12:00 01:00:00:00 01:00:02:00
* FROM CLIP NAME: BEACH
002  A001  V  C        00:00:12:00 00:00:12:00 01:00:02:00 01:00:02:00
002  B007  V  D    024 00:01:00:00 00:01:04:00 01:00:02:00 01:00:06:00
M2   B007       012.0                00:01:00:00
003  B007  AA/V C      00:01:00:00 00:02:04:00 01:00:06:00 01:01:06:02
"""
    info = replace(describe(PixelFormat("rgb")), rate=Fraction(30000, 1001), num_frames=5000)
    return _of_file(folder / "cut.edl", content, lambda path: read_cuts(path, info))


def _cuts(folder: Path) -> Target:
    return Target(b"0,24,48, 1000", lambda changed: given_numbers(changed.decode("latin-1")))


def _numbers(folder: Path) -> Target:
    def read(changed: bytes) -> object:
        text = changed.decode("latin-1")
        found = []
        for parse in (parse_wrap, parse_shadow, Edge.parse, Levels.parse, parse_color):
            with suppress(InputError):
                found.append(parse(text))
        return found, parse_box(text, Size(480, 640), folder)

    return Target(b"40,30,300,200", read)


MAKERS: dict[str, Callable[[Path], Target]] = {
    "grade file": _grade,
    ".cube file": _cube,
    "zip of .cube files": _zip,
    ".safetensors file": _safetensors,
    "published checkpoint": _published,
    "published checkpoint of the old format": lambda folder: _published(folder, zipped=False),
    "checkpoint of a run": _run,
    "log of a run": _log,
    "card": _card,
    "recipe": _recipe,
    "manifest.csv": _manifest,
    "list of HYouTube": _hyoutube,
    "list of iHarmony4": _iharmony4,
    "records.jsonl": _records,
    "method with options": _spec,
    "pattern of a sequence": _pattern,
    "edit decision list": _edl,
    "numbers of cuts": _cuts,
    "numbers of an option": _numbers,
    "PNG": lambda folder: _image(folder, ".png", "uint16"),
    "JPEG": lambda folder: _image(folder, ".jpg", "uint8"),
    "TIFF": lambda folder: _image(folder, ".tif", "uint8"),
    "DPX": lambda folder: _image(folder, ".dpx", "uint16"),
    "OpenEXR": lambda folder: _image(folder, ".exr", "half"),
}
