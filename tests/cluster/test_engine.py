"""Clips on a real Ray cluster of three nodes on this machine; one is killed in the middle."""

import json
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from benchmarks.cluster_speed import add_node
from chromacord.color.management.config import BUILT_IN
from chromacord.methods import shotgrade
from tests.cli.conftest import Run
from tests.cli.conftest import run as run
from tests.cluster.conftest import kill_a_node
from tests.footage import make_composite, make_mask
from tests.integrations.results import record

pytestmark = pytest.mark.heavy


@pytest.fixture
def shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with a long and two short clips."""
    monkeypatch.chdir(tmp_path)
    for name, frames in (("long", 90), ("a", 6), ("b", 6)):
        make_composite(tmp_path / f"{name}.mp4", num_frames=frames)
        make_mask(tmp_path / f"{name}_mask.mkv", num_frames=frames)
    return tmp_path


ONE = ("harmonize", "long.mp4", "--mask", "long_mask.mkv", "--method", "mkl")
LOSSLESS = (*ONE, "--codec", "ffv1")


def pixels(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def test_a_long_clip_in_chunks_equals_one_machine_while_a_node_dies(run: Run, shots: Path, cluster: Any) -> None:
    from chromacord.cluster.connection import connected
    from chromacord.cluster.engine import Asked, Engine, Finished
    from chromacord.job.options import Options
    from chromacord.types import Encoding, Progress

    assert run(*LOSSLESS, "-o", "single.mkv", "--grade-out", "single.json").code == 0
    files = {"composite": "long.mp4", "mask": "long_mask.mkv", "output": "many.mkv", "grade_out": "many.json"}
    asked = Asked(
        "long", {key: str(shots / path) for key, path in files.items()}, Options("mkl", encoding=Encoding("ffv1"))
    )
    seen, killed = [], False
    with connected(cluster.address) as ray, Engine(ray, chunk_frames=10) as engine:
        for _, told in engine.run([asked]):
            seen.append(told)
            if isinstance(told, Progress) and told.done >= 20 and not killed:
                killed = True
                kill_a_node(cluster)
    add_node(cluster)
    assert killed
    assert isinstance(seen[-1], Finished)
    assert seen[-1].error is None
    assert seen[-1].summary is not None
    assert seen[-1].summary.num_frames == 90
    dones = [told.done for told in seen if isinstance(told, Progress) and told.stage == "render"]
    assert dones == sorted(dones)
    assert len(dones) > 8
    assert pixels(shots / "many.mkv") == pixels(shots / "single.mkv")
    assert (shots / "many.json").read_bytes() == (shots / "single.json").read_bytes()
    assert not [path.name for path in shots.iterdir() if path.name.startswith(".")]
    record("ray, harmonize", sys.executable, "ray", nodes=3, killed=1, frames=90, equals_one_machine=True)


def test_the_command_spreads_clips_and_names_those_that_fail(run: Run, shots: Path, cluster: Any) -> None:
    (shots / "out").mkdir()
    make_mask(shots / "b_mask.mkv", num_frames=5)
    named = ("--mask", "{name}_mask.mkv", "-o", "out/{name}.mp4", "--method", "mkl", "--preset", "ultrafast")
    engine = ("--engine", "ray", "--address", cluster.address, "--chunk-frames", "40", "--log-json")
    done = run("harmonize", "long.mp4", "a.mp4", "b.mp4", *named, *engine)
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 2, done.err
    assert [event["message"][:40] for event in events if event["event"] == "error"] == [
        f"b.mp4: {shots}/b_mask.mkv: the mask has 5 frames"[:40]
    ]
    summary = next(event for event in events if event["event"] == "summary" and "clips" in event)
    assert (summary["harmonized"], summary["failed"], summary["frames"]) == (2, 1, 96)
    assert sorted(path.name for path in (shots / "out").iterdir()) == ["a.mp4", "long.mp4"]
    assert len(pixels(shots / "out/long.mp4")) == 90


def test_images_of_chunks_get_their_own_numbers(run: Run, shots: Path, cluster: Any) -> None:
    engine = ("--engine", "ray", "--address", cluster.address, "--chunk-frames", "40")
    for folder, more in (("one", ()), ("many", engine)):
        (shots / folder).mkdir()
        assert run(*ONE, "-o", f"{folder}/f.%04d.png", *more).code == 0
    names = sorted(path.name for path in (shots / "one").iterdir())
    assert len(names) == 90
    assert sorted(path.name for path in (shots / "many").iterdir()) == names
    assert all((shots / "one" / name).read_bytes() == (shots / "many" / name).read_bytes() for name in names)


def test_a_stopped_run_leaves_nothing_and_frees_the_cluster(shots: Path, cluster: Any) -> None:
    from chromacord.cluster.connection import connected
    from chromacord.cluster.engine import Asked, Engine, Finished
    from chromacord.job.options import Options
    from chromacord.types import Progress

    before = sorted(path.name for path in shots.iterdir())
    files = {"composite": "long.mp4", "mask": "long_mask.mkv", "output": "many.mp4"}
    asked = Asked("long", {key: str(shots / path) for key, path in files.items()}, Options("mkl"))
    with connected(cluster.address) as ray:
        with pytest.raises(KeyboardInterrupt), Engine(ray, chunk_frames=10) as engine:
            for _, told in engine.run([asked]):
                if isinstance(told, Progress) and told.done:
                    raise KeyboardInterrupt
        assert sorted(path.name for path in shots.iterdir()) == before
        with Engine(ray, chunk_frames=1000) as engine:
            last = [told for _, told in engine.run([asked])][-1]
    assert isinstance(last, Finished)
    assert last.error is None


def test_relative_paths_of_options_are_found_by_nodes(
    run: Run, shots: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nodes' processes were started in another folder."""
    import PyOpenColorIO as ocio

    weights = Path(shotgrade.__file__).parents[1] / "weights/shotgrade.safetensors"
    (shots / "own").mkdir()
    (shots / "own/w.safetensors").write_bytes(weights.read_bytes())
    (shots / "own/c.ocio").write_text(ocio.Config.CreateFromBuiltinConfig(BUILT_IN.removeprefix("ocio://")).serialize())
    named = ["harmonize", "a.mp4", "--mask", "a_mask.mkv", "--weights", "own/w.safetensors", "--codec", "ffv1"]
    named += ["--working-space", "ACEScct"]
    monkeypatch.setenv("OCIO", "own/c.ocio")
    assert run(*named, "-o", "one.mkv").code == 0
    for config, output in (([], "two.mkv"), (["--config", "own/c.ocio"], "three.mkv")):
        done = run(*named, *config, "-o", output, "--engine", "ray", "--address", cluster.address)
        assert done.code == 0, done.err
        assert pixels(shots / output) == pixels(shots / "one.mkv")


def test_progress_comes_while_a_chunk_is_rendered(shots: Path, cluster: Any) -> None:
    from chromacord.cluster.connection import connected
    from chromacord.cluster.engine import Asked, Engine
    from chromacord.job.options import Options
    from chromacord.types import Progress, Size

    size = Size(360, 480)  # seconds of work, where progress comes twice a second
    make_composite(shots / "slow.mp4", num_frames=90, size=size)
    make_mask(shots / "slow_mask.mkv", num_frames=90, size=size)
    stages: dict[str, set[int]] = {}
    with connected(cluster.address) as ray, Engine(ray, chunk_frames=1000) as engine:
        for name in ("a", "slow"):  # on a busy machine, what collects progress starts only while the first is rendered
            files = {"composite": f"{name}.mp4", "mask": f"{name}_mask.mkv", "output": f"{name}_out.mp4"}
            asked = Asked(name, {key: str(shots / path) for key, path in files.items()}, Options("poisson"))
            for _, told in engine.run([asked]):
                if isinstance(told, Progress) and name == "slow":
                    stages.setdefault(told.stage, set()).add(told.done)
    assert stages["render"] - {90}
