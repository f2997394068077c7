"""Make a data set in HYouTube's layout from clips with masks; parallel and resumable."""

import hashlib
import json
import os
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from chromacord.color.cube import Cube
from chromacord.errors import ChromacordWarning, InputError, OutputExistsError
from chromacord.io.stills.single import write_jpeg, write_png
from chromacord.io.writing.staging import StagedFolder, check_folder, output_errors, write_text
from chromacord.lab.composites.synthesis import RANDOM, Recipe, derive_seed, draw_luts, make_change, recolor, to_bytes
from chromacord.lab.data.files import ClipFiles, FileDataset, FramePictures, PictureFiles
from chromacord.lab.data.hyoutube import COMPOSITE, MANIFEST, MASK, REAL
from chromacord.lab.data.pool import HERE, Engine, run_all
from chromacord.types import Progress

_JPEG_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Pair:
    """One composite clip to make."""

    clip: str
    """Name of the source clip."""

    video: str
    """Folder of the real frames."""

    foreground: str
    """Folder below the video's, such as "object_1"."""

    lut: str
    """File name of the LUT, or "random"."""

    lut_sha256: str | None
    """Hash of the LUT's table as read; None for a random look."""

    seed: int
    """Seed of the random look and the drift."""

    @property
    def place(self) -> str:
        """Path below the folders of masks and composites."""
        return f"{self.video}/{self.foreground}"


@dataclass(frozen=True)
class Summary:
    """Result of a run."""

    folder: Path
    num_pairs: int
    num_frames: int
    """Number of frames of all composites, including those of previous runs."""

    num_kept: int
    """Number of pairs that previous runs had made."""

    seconds: float


@dataclass(frozen=True, eq=False)
class _Task:
    pair: Pair
    files: ClipFiles
    cube: Cube | None
    recipe: Recipe
    folder: Path


def synthesize(
    clips: FileDataset,
    luts: Mapping[str, Cube] | None,
    folder: Path,
    *,
    recipe: Recipe,
    split: str = "test",
    engine: Engine = HERE,
    progress: Callable[[Progress], object] | None = None,
) -> Summary:
    """Make composites of clips in HYouTube's layout, with lists and a manifest.

    A repeated run with the same arguments makes what is missing. The result depends only on the arguments, not on
    `engine` or on interruptions.

    Args:
        clips: clips with masks. Their real frames are recoloured; if there are none, their composites are used as real
            frames.
        luts: LUTs by name; None: random looks.
        folder: folder of the data set; created if missing, but not its parent.
        recipe: how to synthesize.
        split: prefix of the lists `<split>_list.txt` and `<split>_frames.txt`.
        engine: where the composites are made.
        progress: called with the number of finished frames.

    Raises:
        OutputExistsError: the folder holds something else, or a data set made from other clips or settings.
        InputError: a clip cannot be read, or there are too few LUTs.
        OutputError: the folder cannot be written to.
    """
    started = time.perf_counter()
    pairs = plan(clips, luts, recipe)
    _prepare(folder, _manifest(pairs, recipe, split))
    files = {clip.name: clip for clip in clips.clips}
    tasks = [_Task(pair, files[pair.clip], (luts or {}).get(pair.lut), recipe, folder) for pair in pairs]
    missing = [task for task in tasks if not (folder / COMPOSITE / task.pair.place).is_dir()]
    counts = {pair.clip: _num_frames(files[pair.clip], recipe) for pair in pairs}
    done = kept = sum(counts[pair.clip] for pair in pairs) - sum(counts[task.pair.clip] for task in missing)
    with closing(run_all(_make_pair, missing, engine=engine)) as made:
        for name, num_frames in made:
            if num_frames < counts[name]:
                counts[name] = num_frames
            done += num_frames
            if progress is not None:
                total = sum(counts[pair.clip] for pair in pairs)
                seconds = time.perf_counter() - started
                progress(Progress("synthesize", done, total, (done - kept) / seconds))
    num_frames = _write_lists(folder, pairs, split)
    seconds = time.perf_counter() - started
    return Summary(folder, len(pairs), num_frames, len(pairs) - len(missing), seconds)


def plan(clips: FileDataset, luts: Mapping[str, Cube] | None, recipe: Recipe) -> list[Pair]:
    """List the composites to make from each clip.

    Raises:
        InputError: a clip needs more LUTs than there are.
    """
    videos = _video_names(clips.names)
    hashes = {name: _hash(cube) for name, cube in (luts or {}).items()}
    pairs = []
    for clip in clips.names:
        drawn = [RANDOM] * recipe.per_clip
        if luts is not None:
            drawn = draw_luts(list(luts), count=recipe.per_clip, seed=recipe.seed, clip=videos[clip])
        for number, lut in enumerate(drawn, start=1):
            seed = derive_seed(recipe.seed, videos[clip], number)
            pairs.append(Pair(clip, videos[clip], f"object_{number}", lut, hashes.get(lut), seed))
    return pairs


def _video_names(names: tuple[str, ...]) -> dict[str, str]:
    """Return a folder name for each clip: its name without the path that all clips share."""
    paths = {name: PurePosixPath(name) for name in names}
    common = os.path.commonpath([path.parent for path in paths.values()])
    # The lists separate paths by spaces.
    videos = {name: "_".join("_".join(path.relative_to(common).parts).split()) for name, path in paths.items()}
    video, times = Counter(videos.values()).most_common(1)[0]
    if times > 1:
        raise InputError(f"{times} clips would be called {video}; rename their folders")
    return videos


def _hash(cube: Cube) -> str:
    digest = hashlib.sha256(repr((cube.domain_min, cube.domain_max)).encode())
    digest.update(cube.lut.parameters.tobytes())
    return digest.hexdigest()


def _manifest(pairs: list[Pair], recipe: Recipe, split: str) -> str:
    content = {"split": split, "recipe": asdict(recipe), "pairs": [asdict(pair) for pair in pairs]}
    return json.dumps(content, indent=1) + "\n"


def _prepare(folder: Path, manifest: str) -> None:
    """Create the folder, or check that it holds the same data set, finished or not."""
    path = folder / MANIFEST
    if path.is_file():
        if path.read_bytes() != manifest.encode():
            raise OutputExistsError(
                f"{folder}: holds a data set made from other clips or LUTs, or with other options (see {MANIFEST}); "
                "choose another folder"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputExistsError(f"{folder}: exists and is not a synthesized data set; choose another folder")
    check_folder(folder.absolute().parent, wanted=folder)
    with output_errors(folder):
        folder.mkdir(exist_ok=True)
    write_text(path, manifest)


def _num_frames(files: ClipFiles, recipe: Recipe) -> int:
    known = files.num_frames
    return recipe.num_frames if known is None else min(recipe.num_frames, -(-known // recipe.spacing))


def _make_pair(task: _Task) -> tuple[str, int]:
    """Write a composite with its mask and, for the first composite of a clip, the real frames.

    Returns:
        Name of the clip and number of frames.
    """
    pair, folder = task.pair, task.folder
    writes_real = pair.foreground == "object_1"
    places = [folder / MASK / pair.place, folder / COMPOSITE / pair.place]
    places += [folder / REAL / pair.video] if writes_real else []
    with output_errors(folder):
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
    change = make_change(task.cube, seed=pair.seed, enhanced=task.recipe.enhance, drift=task.recipe.drift)
    count, has_foreground = 0, False
    with StagedFolder(places[0], force=True) as masks, StagedFolder(places[1], force=True) as composites:
        for index, frame in _chosen(task.files, task.recipe):
            name = _frame_name(frame, index)
            real = to_bytes(frame.composite if frame.real is None else frame.real)
            frame.check_sizes(pair.clip)
            write_png(masks.add(f"{name}.png"), to_bytes(frame.mask))
            composite = recolor(real, frame.mask, change.at(index))
            write_jpeg(composites.add(f"{name}.jpg"), composite, quality=task.recipe.quality)
            count, has_foreground = count + 1, has_foreground or bool(frame.mask.any())
        if writes_real:
            _write_real(places[2], task)
        masks.commit()
        # Rename last: the folder's existence marks the pair as complete.
        composites.commit()
    if not has_foreground:
        message = f"{pair.clip}: the mask is empty in all frames taken, so the composites equal the real frames"
        warnings.warn(ChromacordWarning(message), stacklevel=2)
    return pair.clip, count


def _write_real(place: Path, task: _Task) -> None:
    """Write the real frames without loss: JPEGs are copied, everything else becomes PNG."""
    with StagedFolder(place, force=True) as reals:
        for index, frame in _chosen(task.files, task.recipe):
            name, source = _frame_name(frame, index), _real_file(task.files, index)
            if source is not None and source.suffix.lower() in _JPEG_SUFFIXES:
                with output_errors(place):
                    shutil.copyfile(source, reals.add(f"{name}.jpg"))
            else:
                real = frame.composite if frame.real is None else frame.real
                write_png(reals.add(f"{name}.png"), to_bytes(real))
        reals.commit()


def _chosen(files: ClipFiles, recipe: Recipe) -> Iterator[tuple[int, FramePictures]]:
    """Decode the frames taken from a clip, with their positions in it."""
    if isinstance(files, PictureFiles):
        # Skip the frames in between without decoding them.
        steps = slice(0, recipe.num_frames * recipe.spacing, recipe.spacing)
        cut = replace(
            files,
            frames=files.frames[steps],
            composites=files.composites[steps],
            masks=files.masks[steps],
            reals=files.reals[steps] if files.reals is not None else None,
            origins=files.origins[steps],
        )
        yield from zip(range(*steps.indices(files.num_frames)), cut.pictures(), strict=True)
    else:
        stop = recipe.num_frames * recipe.spacing
        yield from islice(enumerate(files.pictures()), 0, stop, recipe.spacing)


def _frame_name(frame: FramePictures, index: int) -> str:
    """Return a five-digit frame number: the source's if it has one, else the position."""
    return f"{int(frame.name) if frame.name.isdecimal() else index:05d}"


def _real_file(files: ClipFiles, index: int) -> Path | None:
    if not isinstance(files, PictureFiles):
        return None
    return (files.reals or files.composites)[index]


def _write_lists(folder: Path, pairs: list[Pair], split: str) -> int:
    """Write the lists in HYouTube's format; return the number of frames."""
    pair_lines, frame_lines, lut_lines = [], [], []
    for pair in pairs:
        real, mask, composite = f"{REAL}/{pair.video}", f"{MASK}/{pair.place}", f"{COMPOSITE}/{pair.place}"
        pair_lines.append(f"{real} {mask} {composite}")
        lut_lines.append(f"{composite} {pair.lut}")
        for path in sorted((folder / real).iterdir()):
            frame_lines.append(f"{real}/{path.name} {mask}/{path.stem}.png {composite}/{path.stem}.jpg")
    names = {f"{split}_list.txt": pair_lines, f"{split}_frames.txt": frame_lines, "LUT_list.txt": lut_lines}
    for name, lines in names.items():
        write_text(folder / name, "".join(f"{line}\n" for line in lines), force=True)
    return len(frame_lines)
