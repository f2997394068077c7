"""CO2Net gives the same result on a GPU as on the CPU."""

import pytest
import torch

from chromacord.lab.methods.co2net import CO2Net
from tests.lab.methods.test_co2net import SIDE, video

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_two_windows_agree_with_the_cpu() -> None:
    torch.manual_seed(0)
    made = CO2Net(None, working_side=SIDE).eval()
    composite, mask = video(18)
    results = []
    for device in ("cpu", "cuda"):
        method, state, parts = made.to(device), None, []
        with torch.inference_mode():
            for first in (0, 1):
                window = slice(first, first + 17)
                prediction = method(composite[None, window].to(device), mask[None, window].to(device), state)
                state = prediction.state
                parts.append(prediction.harmonized.cpu())
        results.append(torch.cat(parts, dim=1))
    torch.testing.assert_close(results[0], results[1], atol=2e-3, rtol=0)
