"""Windows of HYouTube and iHarmony4, read on demand because the sets do not fit in memory."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from chromacord.errors import InputError
from chromacord.lab.composites.augment import ClipBatch
from chromacord.lab.composites.photographs import is_held_out
from chromacord.lab.data.files import FileDataset, PictureFiles
from chromacord.types import Size


class RecordedClips:
    """Draws windows of consecutive frames.

    Args:
        clips: composites with their ground truth.
        size: size to resize to.
        num_readers: number of decoding threads.
        mirrored_share: probability that a window is mirrored horizontally.

    Raises:
        InputError: there are no clips, or one has no ground truth.
    """

    def __init__(
        self, clips: Sequence[PictureFiles], *, size: Size, num_readers: int = 4, mirrored_share: float = 0.0
    ) -> None:
        if not clips:
            raise InputError("there are no clips to draw from; hold out less of the data set")
        if unknown := [clip.name for clip in clips if clip.reals is None]:
            raise InputError(f"{unknown[0]}: has no real frames to learn from; give a data set that has them")
        self._clips, self._size, self._num_readers = clips, size, num_readers
        self._mirrored_share = mirrored_share
        self._weights = torch.tensor([float(clip.num_frames) for clip in clips])

    def __len__(self) -> int:
        """Return the number of frames."""
        return int(self._weights.sum())

    def sets(self) -> dict[str, int]:
        """Return the number of frames of each set: a subset of iHarmony4, or the whole data set."""
        counts: Counter[str] = Counter()
        for clip in self._clips:
            # iHarmony4's stills are named by their subset; clips of HYouTube belong to one set.
            counts[clip.name.partition("/")[0] if clip.num_frames == 1 else "clips"] += clip.num_frames
        return dict(counts)

    def draw_clips(self, count: int, length: int, generator: torch.Generator) -> ClipBatch:
        """Draw windows, each clip in proportion to its length. A clip that is too short repeats its last frame.

        Args:
            count: number of windows, N.
            length: frames per window, T.
            generator: random number generator.
        """
        chosen = torch.multinomial(self._weights, count, replacement=True, generator=generator).tolist()
        # Draw positions as shares of a clip, so that the random numbers do not depend on the clips' lengths.
        places = torch.rand(count, generator=generator, dtype=torch.float64).tolist()
        windows = [self._window(index, place, length) for index, place in zip(chosen, places, strict=True)]
        with ThreadPoolExecutor(self._num_readers) as pool:
            read = list(pool.map(lambda window: window.read(self._size), windows))
        composite, mask = (torch.stack([getattr(clip, name) for clip in read]) for name in ("composite", "mask"))
        clips = ClipBatch(composite, mask, torch.stack([clip.real for clip in read if clip.real is not None]))
        if self._mirrored_share:
            mirrored = torch.rand(count, generator=generator) < self._mirrored_share
            for part in clips:
                part[mirrored] = part[mirrored].flip(-1)
        return clips

    def _window(self, index: int, place: float, length: int) -> PictureFiles:
        clip = self._clips[index]
        start = int(place * max(1, clip.num_frames - length + 1))
        return clip.part([min(start + step, clip.num_frames - 1) for step in range(length)])


def divided_clips(dataset: FileDataset, share: float) -> tuple[list[PictureFiles], list[PictureFiles]]:
    """Split a data set into training and held-out clips.

    All composites of one video, or of one photograph, go to the same side.

    Args:
        dataset: a data set of picture files.
        share: approximate share of clips to hold out.
    """
    clips = [clip for clip in dataset.clips if isinstance(clip, PictureFiles)]
    held = [is_held_out(_origin(clip), share) for clip in clips]
    trained = [clip for clip, is_held in zip(clips, held, strict=True) if not is_held]
    return trained, [clip for clip, is_held in zip(clips, held, strict=True) if is_held]


def _origin(clip: PictureFiles) -> str:
    """Return the name of the video or photograph that a clip was made from."""
    if clip.reals is None:
        return clip.name
    first = clip.reals[0]
    return first.name if clip.num_frames == 1 else first.parent.name
