"""ShotGrade on a GPU gives what it gives on the CPU."""

import pytest
import torch

from tests.methods.test_shotgrade import disc, picture, untrained

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_two_windows_of_two_clips_agree_with_the_cpu() -> None:
    made = untrained()
    composite = torch.stack([picture(1, frames=16), picture(2, frames=16)])
    mask = disc(0.5, frames=16).expand(2, -1, -1, -1, -1)
    results = []
    for device in ("cpu", "cuda"):
        method, state, parts = made.to(device), None, []
        with torch.inference_mode():
            for first in (0, 8):
                window = slice(first, first + 8)
                prediction = method(composite[:, window].to(device), mask[:, window].to(device), state)
                state = prediction.state
                parts.append(prediction.harmonized.cpu())
        results.append(torch.cat(parts, dim=1))
    torch.testing.assert_close(results[0], results[1], atol=2e-3, rtol=0)
