"""Behaviour that needs processes: a run that is killed and resumed, and a run of several processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from chromacord.lab.composites.synthesis import derive_seed
from chromacord.lab.objectives.protocol import build_objective
from chromacord.lab.training.checkpoint import CHECKPOINT
from chromacord.lab.training.optimization import build_optimizer, learning_rate
from chromacord.lab.training.recipe import read_recipe
from tests.lab.training.material import stage_values, write_recipe
from tests.lab.training.runs import COMMAND, log_of, trained

NUM_STEPS = 120
LONG = stage_values(steps=NUM_STEPS, cooldown=30, save_every=10, validate_every=100)


@pytest.fixture(scope="module")
def uninterrupted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    trained(write_recipe(folder / "r.toml", LONG), data, folder / "run")
    return folder / "run"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_goes_on_and_ends_with_the_same_bytes_and_the_same_log(
    data: Path, uninterrupted: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    recipe = write_recipe(tmp_path / "r.toml", LONG)
    process = subprocess.Popen(
        [*COMMAND, "train", str(recipe), "--data", str(data), "-o", str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started = time.monotonic()
    while not (tmp_path / "run" / CHECKPOINT).exists() and time.monotonic() < started + 120:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (code, "")
    message = "error: stopped with SIGTERM; run the command again to continue from the last checkpoint\n"
    assert err == (message if number == signal.SIGTERM else "")
    assert not (tmp_path / "run/tiny.safetensors").exists()
    assert log_of(tmp_path / "run", "train")[-1]["step"] < NUM_STEPS
    trained(recipe, data, tmp_path / "run")
    assert (tmp_path / "run/tiny.safetensors").read_bytes() == (uninterrupted / "tiny.safetensors").read_bytes()
    assert log_of(tmp_path / "run") == log_of(uninterrupted)


@pytest.mark.slow
def test_several_processes_share_a_batch_and_one_of_them_writes(data: Path, tmp_path: Path) -> None:
    """One step of two processes (gloo) is one step by the mean of their gradients, each of half a batch."""
    stage = stage_values(steps=1, cooldown=0, warmup=0, optimizer="adam", max_norm=None)
    recipe = write_recipe(tmp_path / "r.toml", stage, data={"held_out": 0})
    (tmp_path / "command.py").write_text(COMMAND[-1])
    # `accelerate launch` starts processes so for GPUs; for processors it would want MPI.
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", str(tmp_path / "command.py")]
    done = subprocess.run(
        [*launch, "train", str(recipe), "--data", str(data), "-o", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1 step, 4 samples") == 1
    assert [line["step"] for line in log_of(tmp_path / "run")] == [1]
    assert len(list((tmp_path / "run/tensorboard").iterdir())) == 1

    values = read_recipe(recipe)
    (stage,) = values.stages
    objective = build_objective(values, stage, data)
    for process in (0, 1):
        batch = objective.batch(2, derive_seed(values.seed, "batch", 0, 0, process))
        (objective.loss(objective.module.train(), batch)[0] / 2).backward()
    optimizer = build_optimizer(objective.module, stage)
    assert optimizer.param_groups[0]["lr"] == learning_rate(stage, 0)
    optimizer.step()
    found = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["module"]
    for name, value in objective.module.named_parameters():
        # Adam's first step is the gradient's sign; where it is next to 0, the sum's order decides the sign.
        near = (found[name] - value).abs() < 1e-5
        assert float(near.float().mean()) > 0.98, name
