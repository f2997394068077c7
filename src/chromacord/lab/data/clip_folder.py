"""Folders of clips: `images` and `masks`, and `real` if the ground truth is known.

    <clip>/images/00000.jpg ...     <clip>/masks/00000.png ...          frames in order, same stems
    <set>/images/<name>.mp4         <set>/masks/<name>.mp4 or .png      one clip for each video

A folder may contain many of these at any depth. A `manifest.csv` (columns `path`, `kind`, `mask`, `use`) in it, or in a
parent folder, may state for each clip whether it is a `video` or holds `still`s, whether masks are `labels`, and its
use. Folders that the manifest does not name are videos made of pictures, unless they hold video files.
"""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chromacord.errors import InputError, MissingFileError
from chromacord.io.stills.image_formats import IMAGE_SUFFIXES
from chromacord.lab.data.files import ClipFiles, FileDataset, PictureFiles, VideoFiles
from chromacord.lab.data.tensors import WORKING_SIZE
from chromacord.parsing import parse_errors, read_file, shown
from chromacord.types import Size

MANIFEST = "manifest.csv"
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v", ".webm", ".avi", ".mxf")
_PICTURE_SUFFIXES = (*IMAGE_SUFFIXES, ".webp")
_MAX_DEPTH = 4
_MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Entry:
    """A folder's row in the manifest."""

    is_still: bool = False
    has_labels: bool = False
    use: str = ""
    licence: str = ""


def open_clips(
    folder: Path,
    *,
    size: Size | None = WORKING_SIZE,
    use: str | None = None,
    licences: Collection[str] | None = None,
    labels: Iterable[int] = (),
    max_frames: int | None = None,
    stills: bool = False,
) -> FileDataset:
    """Open a folder of clips with masks.

    Args:
        folder: a clip, or a tree of clips.
        size: size to resize to; None: keep the original size.
        use: take only clips with this `use` in the manifest.
        licences: take only clips with one of these values of `licence` in the manifest; None: all.
        labels: labels that form the foreground, if masks hold labels; empty: all above 0.
        max_frames: maximum frames per clip, from its start.
        stills: treat each picture as a clip of its own, whatever the manifest says.

    Raises:
        MissingFileError: there are no clips, or an image has no mask.
        UnreadableFileError: a manifest is damaged.
        InputError: a manifest has a row without a path, or two rows for one path.
    """
    entries = _read_manifests(folder)
    chosen = frozenset(labels)
    clips: list[ClipFiles] = []
    places = find_clips(folder)
    for place in places:
        entry = entries.get(place.absolute(), Entry())
        entry = replace(entry, is_still=entry.is_still or stills)
        if (use is None or entry.use == use) and (licences is None or entry.licence in licences):
            clips += _clips_in(place, folder, entry, chosen, max_frames)
    if not clips:
        raise MissingFileError(f"{folder}: {_why_none(places, folder, entries, use=use, licences=licences)}")
    return FileDataset(folder.absolute().name, clips, size=size)


def find_clips(folder: Path) -> list[Path]:
    """Return the sorted folders that hold `images` and `masks`: `folder` itself, or folders below it."""
    return sorted(_search(folder, _MAX_DEPTH))


def has_manifest(folder: Path) -> bool:
    """Whether a manifest in a folder, or in a parent of it, has rows for its clips.

    Raises:
        UnreadableFileError: a manifest is damaged.
    """
    entries = _read_manifests(folder)
    return any(place.absolute() in entries for place in find_clips(folder))


def _why_none(
    places: list[Path],
    folder: Path,
    entries: Mapping[Path, Entry],
    *,
    use: str | None,
    licences: Collection[str] | None,
) -> str:
    """Explain why none of these folders was taken, with a remedy."""
    if not places:
        return "holds no clips: folders with images/ and masks/ are expected"
    found = [entries[place.absolute()] for place in places if place.absolute() in entries]
    if use is None and licences is None:
        return "holds no clips: there is no video or picture in images/"
    if not found:
        columns, line = "path,use", f"{_name(places[0], folder) if places[0] != folder else '.'},{use or 'train'}"
        licence_note = ""
        if licences is not None:
            columns, line = f"{columns},licence", f"{line},LICENCE"
            licence_note = "; its licence is one of the recipe's, or any in a copy of the recipe without licences"
        return (
            f"no {MANIFEST} says how to use its {len(places)} clips; write {folder / MANIFEST}: the line {columns}, "
            f"and a line for each clip, as {line}{licence_note}"
        )
    if licences is not None and (uses := [entry for entry in found if use in (None, entry.use)]):
        return (
            f"the licences of its clips in {MANIFEST} ({_listed(entry.licence for entry in uses)}) are not among "
            f"those that the recipe takes ({_listed(licences)}); name others in a copy of the recipe, or "
            "take its licences out"
        )
    return (
        f"{MANIFEST} gives its clips the use {_listed(entry.use for entry in found)}, and none the use {use}; "
        f"write {use} in the column use, for the clips that are meant"
    )


def _listed(values: Iterable[str]) -> str:
    """Format the distinct values for a message."""
    return ", ".join(shown(value) for value in sorted(set(values)))


def _search(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        yield folder
    elif depth and folder.is_dir():
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.name.startswith("."):
                yield from _search(entry, depth - 1)


def _read_manifests(folder: Path) -> dict[Path, Entry]:
    """Read the manifests in a folder and above it, by absolute path; the nearest one wins."""
    top = folder.absolute()
    entries: dict[Path, Entry] = {}
    for place in (*reversed(top.parents[:_MAX_DEPTH]), top):
        entries |= _read_manifest(place / MANIFEST)
    return entries


def _read_manifest(path: Path) -> dict[Path, Entry]:
    if not path.is_file():
        return {}
    remedy = f"correct it, or move it away if it is not about clips: {MANIFEST} is read in and above their folder"
    content = read_file(path, limit=_MAX_BYTES, remedy=remedy)
    with parse_errors(path, csv.Error, said="cannot be read as CSV in UTF-8", remedy=remedy):
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        if "path" not in (reader.fieldnames or ()):
            # A manifest of something else, not of clips.
            return {}
        rows = list(reader)
    if any(not row.get("path") for row in rows):
        raise InputError(f"{path}: a row has no path; fill it in or remove the row")
    entries: dict[Path, Entry] = {}
    for row in rows:
        place = path.parent / row["path"]
        if place in entries:
            raise InputError(f"{path}: {shown(row['path'])} appears twice; remove one row")
        entries[place] = Entry(
            row.get("kind") == "still", row.get("mask") == "labels", row.get("use") or "", row.get("licence") or ""
        )
    return entries


def _clips_in(
    place: Path, folder: Path, entry: Entry, labels: frozenset[int], max_frames: int | None
) -> Iterator[ClipFiles]:
    name = _name(place, folder)
    videos, pictures, masks, reals = (
        _by_stem(place / "images", VIDEO_SUFFIXES),
        _by_stem(place / "images", _PICTURE_SUFFIXES),
        _by_stem(place / "masks", (*VIDEO_SUFFIXES, *_PICTURE_SUFFIXES)),
        _by_stem(place / "real", (*VIDEO_SUFFIXES, *_PICTURE_SUFFIXES)),
    )
    for stem, path in videos.items():
        real = _partner(reals, stem, path) if reals else None
        yield VideoFiles(f"{name}/{stem}", path, _partner(masks, stem, path), real, max_frames)
    stems = [[stem] for stem in pictures] if entry.is_still else [list(pictures)[:max_frames]] if pictures else []
    for frames in stems:
        yield PictureFiles(
            name=f"{name}/{frames[0]}" if entry.is_still else name,
            frames=tuple(frames),
            composites=tuple(pictures[stem] for stem in frames),
            masks=tuple(_partner(masks, stem, pictures[stem]) for stem in frames),
            reals=tuple(_partner(reals, stem, pictures[stem]) for stem in frames) if reals else None,
            labels=labels if entry.has_labels else None,
        )


def _name(place: Path, folder: Path) -> str:
    """Return a clip's name: its path relative to the data folder."""
    return place.relative_to(folder).as_posix() if place != folder else folder.absolute().name


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Return the sorted files of a folder by stem, without hidden ones."""
    if not folder.is_dir():
        return {}
    files = (path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith("."))
    return {path.stem: path for path in sorted(files)}


def _partner(found: dict[str, Path], stem: str, image: Path) -> Path:
    """Return the file with the given stem.

    Raises:
        MissingFileError: it does not exist.
    """
    if stem not in found:
        kind = "mask" if image.parent.name == "images" else "file"
        raise MissingFileError(f"{image}: has no {kind} of the same name beside it (<clip>/masks/{stem}.png)")
    return found[stem]
