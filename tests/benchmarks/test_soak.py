import json
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks import soak_worker
from benchmarks.soak import SoakSetting, judge, make_loop, measure_soak
from benchmarks.soak_worker import Held, Record, Work, look, rest, run_short
from chromacord.errors import InputError, MismatchError
from chromacord.job.summary import Summary
from chromacord.lab.bench.fresh_process import run_command

MB = 1_000_000


def record(memory: list[int], *, files: list[int] | None = None, threads: list[int] | None = None) -> Record:
    """Return the record of a run that held so much in its two stages; analysis saw 1000 frames."""
    count = len(memory)
    held = [
        Held(stage, number, megabytes * MB, file, thread)
        for stage in ("analyse", "render")
        for number, (megabytes, file, thread) in enumerate(
            zip(memory, files or [6] * count, threads or [7] * count, strict=True)
        )
    ]
    return Record(4000, 1000, 20.0, Held("before", 0, 300 * MB, 3, 1), held, Held("after", 0, 310 * MB, 3, 1))


def test_a_run_that_stays_flat_leaks_nothing() -> None:
    found = judge(record([300, 340, 330, 335, 330, 333, 331, 305]))
    assert found["leaks"] == []
    assert found["stages"]["render"]["first_quarter_mb"] == 320
    assert found["stages"]["render"]["last_quarter_mb"] == 318
    assert found["stages"]["render"]["samples"] == 8


def test_what_a_grade_keeps_may_grow_in_the_first_stage_only() -> None:
    # 12 kB for each of 1000 analysed frames, and 8 MB for both stages.
    (leak,) = judge(record([300, 300, 300, 319]))["leaks"]
    assert leak == "memory grew by 19.0 MB from the first to the last quarter of 'render' (8.0)"
    assert len(judge(record([300, 300, 300, 321]))["leaks"]) == 2
    assert len(judge(record([300, 300, 300, 307]))["leaks"]) == 0


def test_what_is_held_when_all_is_freed_may_not_grow() -> None:
    held = record([300] * 8)._replace(after=Held("after", 0, 317 * MB, 3, 1))
    assert judge(held)["leaks"] == ["17.0 MB more are held after the run than before it, when all is freed (16.0)"]


def test_freed_memory_is_given_back() -> None:
    # Small blocks with gaps between them: the process keeps such memory until it is trimmed.
    blocks = [np.zeros(8_000, np.uint8) for _ in range(10_000)]
    for block in blocks:
        block[:] = 1
    del blocks[1::2], block
    kept = look("kept", 0).memory
    assert kept - rest("rest", 0).memory > 10 * MB
    assert len(blocks) == 5_000


def test_files_and_threads_may_not_grow() -> None:
    found = judge(record([300] * 8, files=[6, 7, 6, 6, 6, 6, 7, 8], threads=[5, 5, 5, 5, 5, 5, 5, 6]))
    assert [leak.split(" from the")[0] for leak in found["leaks"]] == [
        "files grew from 7 to 8",
        "threads grew from 5 to 6",
    ] * 2
    left = record([300] * 8)._replace(after=Held("after", 0, 300 * MB, 4, 3))
    assert judge(left)["leaks"] == [
        "1 files more are open after the run than before it (3)",
        "2 threads more are open after the run than before it (1)",
    ]


@pytest.mark.parametrize("what", ["files", "threads"])
def test_a_leak_in_short_clips_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str) -> None:
    kept = []
    end = threading.Event()

    def leaky(composite: str, **options: object) -> Summary:
        if options["mask"] == "long_mask":
            raise MismatchError("as it should")
        if what == "files":
            kept.append((tmp_path / "file").open("w"))
        else:
            thread = threading.Thread(target=end.wait)
            thread.start()
        return Summary((), "mkl", 12, 0, 0, 1, 3, None, 0.1, 0.1)

    monkeypatch.setattr(soak_worker, "harmonize_video", leaky)
    found = judge(run_short(Work("composite", "mask", "long_mask", str(tmp_path), "mkl", 8)))
    end.set()
    for file in kept:
        file.close()
    assert found["leaks"] == [
        f"{what} grew from {found[what]['before'] + 1} to {found[what]['after']} from the first to the last quarter of "
        "'clips'",
        f"7 {what} more are open after the run than before it ({found[what]['before']})",
    ]


def test_what_a_process_holds_is_seen() -> None:
    # In a separate process, because threads of other tests may be ending in this one.
    script = """
import json, threading
import numpy as np
from benchmarks.soak_worker import look

end = threading.Event()
threads = [threading.Thread(target=end.wait) for _ in range(3)]
before = look("before", 0)
block = np.ones(40_000_000, np.uint8)
for thread in threads:
    thread.start()
with open("/dev/null"), open("/dev/null"):
    during = look("during", 1)
end.set()
print(json.dumps([before, during, block.nbytes]))
"""
    *looks, block = json.loads(run_command([sys.executable, "-c", script], "looking"))
    before, during = (Held(*each) for each in looks)
    assert (before.stage, before.done, during.stage, during.done) == ("before", 0, "during", 1)
    # The system may take other memory away meanwhile.
    assert block / 2 < during.memory - before.memory < 2 * block
    assert during.files - before.files == 2
    assert before.threads >= 1
    assert during.threads - before.threads == 3


def test_the_looped_clip_is_as_long_as_asked_and_moves_without_jumps_but_for_its_cuts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.soak._PERIOD", 5)
    monkeypatch.setattr("benchmarks.soak._SHOT", 20)
    make_loop(tmp_path, 40)
    clips = {}
    for name in ("composite", "mask", "long_mask"):
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            clips[name] = [frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)]
    assert [len(frames) for frames in clips.values()] == [40, 40, 41]
    steps = [np.abs(second - first).mean() for first, second in zip(clips["mask"], clips["mask"][1:], strict=False)]
    assert max(steps) < 4
    steps = [
        np.abs(second - first).mean() for first, second in zip(clips["composite"], clips["composite"][1:], strict=False)
    ]
    assert int(np.argmax(steps)) == 19
    assert sorted(steps)[-1] > 2 * sorted(steps)[-2]


@pytest.mark.slow
def test_a_short_soak_finds_no_leak() -> None:
    report = measure_soak(SoakSetting(600, 10))
    assert report["leaks"] == []
    assert report["long"]["frames"] == 600
    assert report["short"]["frames"] == 120


def test_too_short_a_soak_is_refused() -> None:
    with pytest.raises(InputError, match="200 frames"):
        measure_soak(SoakSetting(num_frames=100))
