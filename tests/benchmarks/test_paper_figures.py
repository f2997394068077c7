"""Pictures of attention: the weights of windows against windows that are written out, and the sheet."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks import paper_figures
from benchmarks.paper_figures import background_share, draw_figures, observe, window_weights
from chromacord.lab.layers.nonlocal_block import NonLocal


def test_the_weights_of_a_window_are_the_softmax_of_its_dot_products() -> None:
    torch.manual_seed(0)
    block, x = NonLocal(8), torch.randn(1, 8, 9, 11)
    found = window_weights(block, x)
    assert found.shape == (1, 16, 9, 11)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(1, 9, 11))
    query, key = block.theta(x)[0], block.phi(x)[0]
    for row, column in ((4, 5), (1, 7), (0, 0), (8, 10)):  # inside, at the margin, and where windows are cut off
        logits = torch.full((4, 4), -torch.inf)
        for down in range(4):
            for right in range(4):
                y, x_there = row + down - 1, column + right - 1
                if 0 <= y < 9 and 0 <= x_there < 11:
                    logits[down, right] = query[:, row, column] @ key[:, y, x_there]
        expected = logits.flatten().softmax(dim=0)
        torch.testing.assert_close(found[0, :, row, column], expected, atol=1e-5, rtol=1e-4)


def test_the_weight_of_background_is_that_of_the_positions_outside_the_mask() -> None:
    mask = torch.zeros(1, 8, 8)
    mask[:, :, :4] = 1  # background from column 4 on: seen from columns 2 and 3, one and two columns of four
    share = background_share(torch.full((16, 8, 8), 1 / 16), mask)
    torch.testing.assert_close(share[3], torch.tensor([0, 0, 0.25, 0.5, 0.75, 1, 0.75, 0.5]))


@pytest.mark.slow
def test_the_sheet_and_its_figures_are_those_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "paper.jpg"
    report = draw_figures(path)
    committed = json.loads((Path(__file__).parents[2] / "benchmarks/results/paper.json").read_text(encoding="utf-8"))
    for key in ("levels", "attention"):
        for name, values in committed[key].items():
            assert report[key][name] == pytest.approx(values, abs=0.01)
    found, kept = (cv2.imread(str(each)).astype(float) for each in (path, Path(__file__).parents[2] / "docs/paper.jpg"))
    assert found.shape == kept.shape
    assert np.abs(found - kept).mean() < 2


def test_what_is_observed_belongs_to_the_middle_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_figures, "SIDE", 64)
    seen = observe()
    assert seen.composite.shape == (3, 64, 64)
    assert {level: tuple(weights.shape) for level, weights in seen.windows.items()} == {
        0: (16, 16, 16),
        1: (16, 32, 32),
    }
    assert {name: tuple(values.shape) for name, values in seen.attention.items()} == {
        "next": (64, 64),
        "previous": (64, 64),
    }
    outside = seen.mask[0] == 0
    for made in seen.stages:
        assert torch.equal(made[:, outside], seen.composite[:, outside])
    assert not torch.equal(*seen.stages)
