"""Every kind of file that users hand to the command: a good one of each, made here, and the command that reads it."""

import json
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import NamedTuple

import av
import cv2
import numpy as np
import torch

from chromacord.color.cdl import Cdl
from chromacord.color.cube import cube_text
from chromacord.color.transforms import Lut3d, lattice
from chromacord.errors import ChromacordError
from chromacord.grade.exports import EXPORT_FORMATS, LOOK_FORMATS, ExportedShot, cdl_text, lut_text
from chromacord.grade.file import read_grade
from chromacord.grade.imports import read_import
from chromacord.io import open_source
from chromacord.io.edl import read_edl
from chromacord.lab.methods.issam import issam_network
from chromacord.lab.weight_files import packed
from tests.fuzz.mutation import mutated
from tests.images import write
from tests.lab.methods import published_issam

SIDE = 48
GRADE = """{"format": "chromacord grade", "version": 1, "method": "mkl", "consistency": "smooth", "rate": "25",
"frames": 1, "shots": [{"start": 0, "stop": 1, "keys": [{"frame": 0, "transform": {"kind": "affine", "grid": [1, 1],
"matrices": [[[1.1, 0, 0, 0.02], [0, 0.9, 0, 0], [0, 0, 1, 0.01]]]}}]}]}"""
RECIPE = """name = "tiny"
method = "issam"
[network]
width = 4
[data]
side = 32
picture_side = 32
held_out = 0
[data.augmentation]
lut_share = 0
[[stage]]
objective = "harmonize_frames"
steps = 1
batch = 2
learning_rate = 1e-3
"""
STILLS = {"png": "uint8", "jpg": "uint8", "tif": "uint16", "exr": "half", "webp": "uint8", "gif": "uint8"}
CLIPS = {
    "mp4": ("libx264", "yuv420p"),
    "mov": ("prores_ks", "yuv422p10le"),
    "mkv": ("ffv1", "yuv420p"),
    "webm": ("libvpx-vp9", "yuv420p"),
}
LOSSLESS = ("png", "tif", "exr", "mkv")
METHOD = ("--method", "mkl")
APPLIED = {"compared": "out.mkv", "composite": "good.mkv"}
WRITTEN_BY_GRADE = (".json", *EXPORT_FORMATS)
GOOD = ("good.mkv", "--mask", "mask.png")
CDL = Cdl((1.2, 0.9, 1), (0.02, 0, -0.01), (1.1, 1, 0.9), 0.8)
EDL = """TITLE: made
FCM: NON-DROP FRAME
001  A  V  C  00:00:00:00 00:00:00:02 00:00:00:00 00:00:00:02
002  B  V  D  001 00:00:00:02 00:00:00:04 00:00:00:02 00:00:00:04
"""


class Door(NamedTuple):
    """A file of one kind, and a command that is given it."""

    content: bytes
    name: str
    """Of the damaged file."""

    arguments: tuple[str, ...]
    output: str | None
    """How the names of the outputs begin."""

    damage: Callable[[bytes, Random], bytes] = mutated
    compared: str | None = None
    """An output whose background must be the composite's to the bit."""

    composite: str | None = None
    """None: the damaged file."""


def picture() -> np.ndarray:
    """A gradient with a disc of another colour. RGB, (48, 48, 3), uint8."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    made = np.dstack([60 + 2 * x, 90 + y, 200 - 2 * x])
    made[mask() > 0] = (190, 110, 70)
    return made.clip(0, 255).astype(np.uint8)


def mask() -> np.ndarray:
    """The disc. (48, 48), 0 or 255."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    return np.where((x - 20) ** 2 + (y - 22) ** 2 < 150, 255, 0).astype(np.uint8)


def make_seeds(shared: Path, seeds: Path) -> None:
    """Write a good file of each kind, and the good files that go along with it.

    Libraries leave threads behind that do not survive a fork: to be called in another process than `make_doors`.

    Args:
        shared: folder for what each run is given.
        seeds: folder for the files to damage.
    """
    for folder in (shared, seeds):
        folder.mkdir(parents=True)
    cv2.imwrite(str(shared / "good.png"), picture()[..., ::-1])
    cv2.imwrite(str(shared / "mask.png"), mask())
    _write_clips(shared)
    torch.manual_seed(0)
    for kind, dtype in STILLS.items():
        _write_still(seeds / f"composite.{kind}", picture(), dtype)
        _write_still(seeds / f"mask.{kind}", np.dstack([mask()] * 3), dtype)
    frames = [np.roll(picture(), shift, axis=1) for shift in range(4)]
    for kind, how in CLIPS.items():
        _encode(seeds / f"composite.{kind}", *how, frames)
        _encode(seeds / f"mask.{kind}", *how, [np.dstack([mask()] * 3)] * 4)
    shutil.copy(seeds / "composite.mkv", shared / "good.mkv")
    _encode(seeds / "moving.gif", "gif", "rgb8", frames)
    for kind in ("png", "jpg"):
        cv2.imwrite(str(seeds / f"profile.{kind}"), picture()[..., ::-1])
    cube = cube_text(Lut3d(lattice(3)[None]), title="made", size=3)
    (shared / "L.cube").write_text(cube)
    with zipfile.ZipFile(seeds / "L.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("1.cube", "more/2.cube", "readme.txt"):
            archive.writestr(name, cube)
    _write_looks(seeds)
    torch.save(published_issam.checkpoint(), seeds / "w.pth")
    (seeds / "w.safetensors").write_bytes(packed(issam_network(width=4).state_dict()))


def make_doors(shared: Path, seeds: Path) -> dict[str, list[Door]]:
    """Return the doors of each kind of file. See `make_seeds`."""
    doors = {kind: _of_picture(kind, seeds) for kind in (*STILLS, *CLIPS)}
    doors["gif"].append(_composite("gif", (seeds / "moving.gif").read_bytes()))
    for number, suffix in enumerate(WRITTEN_BY_GRADE):
        kind = list(CLIPS)[number % len(CLIPS)]
        doors.setdefault("grade command", []).extend(_of_grade(kind, suffix, seeds))
    doors["look"] = [
        Door(
            (seeds / f"look{suffix}").read_bytes(),
            f"L{suffix}",
            _applied(f"L{suffix}"),
            "out",
            compared="out.mkv",
            composite="good.mkv",
        )
        for suffix in LOOK_FORMATS
    ]
    doors["icc"] = [
        Door((seeds / "profile.png").read_bytes(), "f.png", _converted("png", "jpg"), "out", _png_profile),
        Door((seeds / "profile.jpg").read_bytes(), "f.jpg", _converted("jpg", "tif"), "out", _jpeg_profile),
        Door(b"", "f.tif", _converted("tif", "png"), "out", _tiff_profile),
    ]
    luts = ("synthesize", "--clips", "D", "-o", "out", "--per-clip", "1", "--jobs", "1", "--luts")
    harmonize = ("harmonize", "good.png", "--mask", "mask.png", "-o", "out.png")
    graded = (*harmonize, "--grade-in", "g.json", "--lut-out", "out")
    trained = ("train", "r.toml", "--data", "D", "-o", "out", "-q")
    imported = ("weights", "import", "--method", "issam", "w.pth", "-o", "out")
    learned = (*harmonize, "--method", "issam:width=4", "--weights", "w.safetensors")
    doors["cube"] = [Door((shared / "L.cube").read_bytes(), "L.cube", (*luts, "L.cube"), "out")]
    doors["zip"] = [Door((seeds / "L.zip").read_bytes(), "L.zip", (*luts, "L.zip"), "out")]
    doors["grade"] = [
        Door(GRADE.encode(), "g.json", graded, "out"),
        Door(
            GRADE.replace('"frames": 1', '"frames": 4').replace('"stop": 1', '"stop": 4').encode(),
            "g.json",
            _applied("g.json"),
            "out",
            **APPLIED,
        ),
    ]
    doors["edl"] = [Door(EDL.encode(), "L.edl", ("grade", *GOOD, "-o", "out.json", "--cuts", "L.edl", *METHOD), "out")]
    doors["recipe"] = [Door(RECIPE.encode(), "r.toml", trained, "out", _short)]
    manifest = (shared / "D/manifest.csv").read_bytes()
    doors["csv"] = [Door(manifest, "D/manifest.csv", (*luts, "L.cube", "--use", "train"), "out")]
    doors["checkpoint"] = [Door((seeds / "w.pth").read_bytes(), "w.pth", imported, "out", _at_the_ends)]
    doors["safetensors"] = [Door((seeds / "w.safetensors").read_bytes(), "w.safetensors", learned, "out", _at_the_ends)]
    return doors


def prepare(door: Door, shared: Path, folder: Path, chance: Random) -> bytes:
    """Make a folder with the good files and the damaged one; return what the latter holds."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(shared, folder, copy_function=_linked)
    content = door.damage(door.content, chance)
    (folder / door.name).unlink(missing_ok=True)
    (folder / door.name).write_bytes(content)
    return content


def check(door: Door) -> Callable[[], str | None]:
    """Return a function that checks the output for an accepted file, in the folder."""

    def looked_at() -> str | None:
        output = next((word for word in door.arguments if word.startswith("out.")), None)
        if output is None:
            return None
        try:
            if Path(output).suffix in WRITTEN_BY_GRADE:
                for path in Path().glob(f"{Path(output).stem}*"):
                    _read_back(path)
                return None
            results = [frame.planes for frame in open_source(output).frames()]
        except ChromacordError:
            return "unreadable output"
        if door.compared is None:
            return None
        source = open_source(door.composite or door.name, salvage=True)
        if source.info.rotation or source.info.mirrored:
            return None
        is_outside = mask() == 0
        for frame, planes in zip(source.frames(), results, strict=False):
            for old, new in zip(frame.planes, planes, strict=False):
                # Chroma that is halved and alpha that is left out are not compared.
                is_alike = old.shape == new.shape == is_outside.shape and old.dtype == new.dtype
                if is_alike and (old[is_outside].tobytes() != new[is_outside].tobytes()):
                    return "changed background"
        return None

    return looked_at


def _read_back(path: Path) -> None:
    """Read the output of `grade`. Shot lists are not grades, and are parsed as what they are."""
    if path.suffix == ".otio":
        assert json.loads(path.read_text(encoding="utf-8"))["OTIO_SCHEMA"] == "Timeline.1"
    elif path.suffix == ".edl":
        read_edl(path, rate=Fraction(25))
    else:
        (read_grade if path.suffix == ".json" else read_import)(path)


def _linked(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _write_clips(shared: Path) -> None:
    lines = ["path,kind,mask,use,licence"]
    for name in ("a", "b"):
        for kind, image in (("images", picture()), ("masks", mask())):
            (shared / "D" / name / kind).mkdir(parents=True)
            cv2.imwrite(str(shared / "D" / name / kind / "0.png"), image)
        lines.append(f"{name},still,binary,train,CC0")
    (shared / "D/manifest.csv").write_text("\n".join(lines) + "\n")


def _write_still(path: Path, made: np.ndarray, dtype: str) -> None:
    if path.suffix == ".webp":
        cv2.imwrite(str(path), made[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])
    elif path.suffix == ".gif":
        _encode(path, "gif", "rgb8", [made])
    elif dtype == "half":
        write(path, (made / 255).astype(np.float32), "half")
    else:
        write(path, made.astype(dtype) * (257 if dtype == "uint16" else 1), dtype)


def _encode(path: Path, codec: str, pix_fmt: str, frames: list[np.ndarray]) -> None:
    with av.open(str(path), "w", options={"fflags": "bitexact"}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = SIDE, SIDE, pix_fmt, 1
        for made in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(made, format="rgb24")))
        container.mux(stream.encode())


def _write_looks(seeds: Path) -> None:
    """Write a LUT or a CDL in each format."""
    shot = ExportedShot("made", "made_shot001", Lut3d(lattice(9)[None] * 0.8), None)
    for suffix, kind in LOOK_FORMATS.items():
        path = seeds / f"look{suffix}"
        path.write_text(cdl_text([(shot, CDL)], path) if kind.is_cdl else lut_text(shot, path))


def _of_grade(kind: str, suffix: str, seeds: Path) -> list[Door]:
    """Return the doors of `grade` for a kind of clips and of outputs: as composite and as mask."""
    content, as_mask = ((seeds / f"{name}.{kind}").read_bytes() for name in ("composite", "mask"))
    written = ("-o", f"out{suffix}", "--consistency", "shot", *METHOD)
    return [
        Door(content, f"f.{kind}", ("grade", f"f.{kind}", "--mask", "mask.png", *written), "out"),
        Door(as_mask, f"f.{kind}", ("grade", "good.mkv", "--mask", f"f.{kind}", *written), "out"),
    ]


def _applied(name: str) -> tuple[str, ...]:
    """Return the command that applies a grade or a look."""
    return ("apply", name, *GOOD, "-o", "out.mkv", "--strength", "0.7")


def _of_picture(kind: str, seeds: Path) -> list[Door]:
    """Return the doors of a picture or a clip: as composite, as mask, and as what `info` is asked of."""
    content, as_mask = ((seeds / f"{name}.{kind}").read_bytes() for name in ("composite", "mask"))
    good = "good.mkv" if kind in CLIPS else "good.png"
    masked = ("harmonize", good, "--mask", f"f.{kind}", "-o", f"out{Path(good).suffix}", *METHOD)
    damage = _png if kind == "png" else mutated
    return [
        _composite(kind, content),
        Door(as_mask, f"f.{kind}", masked, "out", damage),
        Door(content, f"f.{kind}", ("info", f"f.{kind}"), None, damage),
    ]


def _composite(kind: str, content: bytes) -> Door:
    output = f"out.{ {'webp': 'png', 'gif': 'mkv'}.get(kind, kind) }"
    arguments = ("harmonize", f"f.{kind}", "--mask", "mask.png", "-o", output, *METHOD)
    damage = _png if kind == "png" else mutated
    return Door(content, f"f.{kind}", arguments, "out", damage, output if kind in LOSSLESS else None)


def _converted(kind: str, other: str) -> tuple[str, ...]:
    """Return the command that writes a picture and its profile in other formats."""
    written = ("-o", f"out.{other}", "--preview", "out2.png")
    return ("harmonize", f"f.{kind}", "--mask", "mask.png", *written, *METHOD)


def _png_profile(content: bytes, chance: Random) -> bytes:
    """Put a damaged profile into a PNG that is whole."""
    data = b"iCCPmade\0\0" + zlib.compress(mutated(icc_profile(), chance))
    return content[:33] + struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data)) + content[33:]


def _jpeg_profile(content: bytes, chance: Random) -> bytes:
    """Put one into a JPEG that is whole."""
    segment = b"ICC_PROFILE\0\1\1" + mutated(icc_profile(), chance)[:60_000]
    return content[:2] + b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment + content[2:]


def _tiff_profile(content: bytes, chance: Random) -> bytes:
    """Make a TIFF that is whole, with one (TIFF 6.0, sections 2, 4 and 6; ICC.1:2010, annex B.5)."""
    pixels, profile = picture().tobytes(), mutated(icc_profile(), chance)
    bits = 8 + len(pixels) + len(pixels) % 2
    entries = [(256, 3, 1, SIDE), (257, 3, 1, SIDE), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8)]
    entries += [(277, 3, 1, 3), (278, 3, 1, SIDE), (279, 4, 1, len(pixels)), (34675, 7, len(profile), bits + 8)]
    table = struct.pack("<H", len(entries))
    table += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    data = pixels + bytes(len(pixels) % 2) + struct.pack("<4H", 8, 8, 8, 0) + profile + bytes(len(profile) % 2)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table


def icc_profile() -> bytes:
    """Return a small matrix profile, by hand (ICC.1:2010, clauses 7.2, 9 and 10)."""
    number = lambda *values: b"XYZ \0\0\0\0" + struct.pack(">3i", *(int(value * 65536) for value in values))  # noqa: E731
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"made\0" + bytes(78)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
    tags = {
        b"desc": text,
        b"wtpt": number(0.95, 1, 1.09),
        b"rXYZ": number(0.6, 0.31, 0.02),
        b"cprt": b"text\0\0\0\0CC0\0",
    }
    tags |= {b"gXYZ": number(0.2, 0.62, 0.07), b"bXYZ": number(0.15, 0.06, 0.74)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(data), b"made", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + data


def _png(content: bytes, chance: Random) -> bytes:
    """Damage a PNG, and often mend its check sums: else most damage ends there."""
    changed = mutated(content, chance)
    if chance.random() < 0.3:
        return changed
    place, whole = 8, bytearray(changed)
    while place + 12 <= len(whole):
        length = int.from_bytes(whole[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(whole):
            break
        whole[end : end + 4] = struct.pack(">I", zlib.crc32(whole[place + 4 : end]))
        place = end + 4
    return bytes(whole)


def _at_the_ends(content: bytes, chance: Random) -> bytes:
    """Damage a large file more often in its header than in its numbers."""
    size = min(len(content), chance.choice((64, 2000, 20_000)))
    where = chance.randrange(3)
    if where == 0:
        return mutated(content[:size], chance) + content[size:]
    if where == 1:
        return content[:-size] + mutated(content[-size:], chance)
    return mutated(content, chance)


def _short(content: bytes, chance: Random) -> bytes:
    """Damage a recipe, but leave it a run of a few steps."""
    return re.sub(rb"steps = \d{3,}", b"steps = 20", mutated(content, chance))
