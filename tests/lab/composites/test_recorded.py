"""Windows of composites that lie on a disk."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from chromacord.errors import InputError
from chromacord.lab.composites.recorded import RecordedClips, divided_clips
from chromacord.lab.data.files import FileDataset, PictureFiles
from chromacord.lab.data.hyoutube import open_hyoutube
from chromacord.types import Size
from tests.hyoutube_lookalike import NUM_FRAMES, LookAlike

SIZE = Size(24, 32)


@pytest.fixture
def dataset(tmp_path: Path) -> FileDataset:
    return open_hyoutube(LookAlike(tmp_path).write(), split="test", size=None)


def clips_of(dataset: FileDataset) -> list[PictureFiles]:
    return [clip for clip in dataset.clips if isinstance(clip, PictureFiles)]


def test_windows_are_consecutive_frames_of_one_clip_as_the_reader_reads_them(dataset: FileDataset) -> None:
    source = RecordedClips(clips_of(dataset), size=SIZE)
    drawn = source.draw_clips(12, 2, torch.Generator().manual_seed(0))
    assert drawn.composite.shape == (12, 2, 3, *SIZE)
    whole = [clip.read(SIZE) for clip in clips_of(dataset)]
    found = set()
    for composite, mask, real in zip(*drawn, strict=True):
        for number, clip in enumerate(whole):
            for start in range(NUM_FRAMES - 1):
                window = slice(start, start + 2)
                assert clip.real is not None
                if torch.equal(composite, clip.composite[window]):
                    assert torch.equal(mask, clip.mask[window])
                    assert torch.equal(real, clip.real[window])
                    found.add((number, start))
    assert len(found) >= 5  # of 9


def test_windows_are_mirrored_as_a_whole_as_often_as_is_asked_for(dataset: FileDataset) -> None:
    """The choice of windows does not depend on it, so runs without it resume unchanged."""
    plain, some, all_of_them = (
        RecordedClips(clips_of(dataset), size=SIZE, mirrored_share=share).draw_clips(
            16, 2, torch.Generator().manual_seed(0)
        )
        for share in (0.0, 0.5, 1.0)
    )
    for before, after in zip(plain, all_of_them, strict=True):
        assert torch.equal(after, before.flip(-1))
    is_mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(some.composite, plain.composite, strict=True)]
    assert 2 < sum(is_mirrored) < 14
    for before, after in zip(plain, some, strict=True):
        for number, mirrored in enumerate(is_mirrored):
            assert torch.equal(after[number], before[number].flip(-1) if mirrored else before[number])


def test_a_clip_that_is_too_short_repeats_its_last_frame(dataset: FileDataset) -> None:
    drawn = RecordedClips(clips_of(dataset), size=SIZE).draw_clips(2, NUM_FRAMES + 2, torch.Generator().manual_seed(0))
    for composite in drawn.composite:
        assert torch.equal(composite[-1], composite[-3])
        assert not torch.equal(composite[-3], composite[-4])


def test_all_composites_of_a_video_are_held_out_together(dataset: FileDataset) -> None:
    """bb02 has two objects, cc03 one; which video is held out at which share is decided by its name."""
    sides = set()
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        trained, held_out = divided_clips(dataset, share)
        assert len(trained) + len(held_out) == 3
        videos = [{clip.name.split("/")[0] for clip in clips} for clips in (trained, held_out)]
        assert not videos[0] & videos[1]
        sides.add(len(trained))
    assert {0, 3} <= sides


def test_stills_count_by_their_set(dataset: FileDataset) -> None:
    clip = clips_of(dataset)[0]
    stills = [replace(clip.part([number]), name=f"HCOCO/{number}") for number in range(3)]
    assert RecordedClips(stills, size=SIZE).sets() == {"HCOCO": 3}
    assert RecordedClips([clip], size=SIZE).sets() == {"clips": NUM_FRAMES}


def test_nothing_to_draw_from_is_refused(dataset: FileDataset) -> None:
    with pytest.raises(InputError, match="no clips to draw from"):
        RecordedClips([], size=SIZE)
    with pytest.raises(InputError, match="has no real frames to learn from"):
        RecordedClips([replace(clips_of(dataset)[0], reals=None)], size=SIZE)
