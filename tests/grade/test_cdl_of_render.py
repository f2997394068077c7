"""A CDL that another tool applies is the render, within what the summary says that it leaves."""

from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest

from chromacord import harmonize_video
from tests import images
from tests.footage import disc
from tests.job.test_foreground_out import composite


@pytest.mark.parametrize("suffix", [".cc", ".ccc", ".cdl"])
@pytest.mark.parametrize("method", ["mkl", "reinhard", "histogram"])
def test_a_cdl_in_opencolorio_gives_the_render_within_the_residual(tmp_path: Path, method: str, suffix: str) -> None:
    source = np.rint(composite(0) * 255).astype(np.uint8)
    picture, mask = images.write(tmp_path / "in.png", source), images.write(tmp_path / "m.png", disc(0)[..., None])
    output, look = tmp_path / "out.png", tmp_path / f"look{suffix}"
    summary = harmonize_video(picture, mask=mask, output=output, lut_out=look, method=method)
    assert summary.cdl_residual is not None
    inside = disc(0) == 255
    step = ocio.CDLTransform.CreateFromFile(str(look), "" if suffix == ".cc" else "look_shot001")
    step.setStyle(ocio.CDL_ASC)
    colors = np.ascontiguousarray(source[inside], np.float32) / 255
    ocio.Config.CreateRaw().getProcessor(step).getDefaultCPUProcessor().applyRGB(colors)
    ((_, rendered),) = images.parts(output)
    rendered = rendered[inside].astype(np.float64) * 255
    assert np.abs(rendered - source[inside]).mean() > 10, "there was something to do"
    left = np.abs(colors * 255 - rendered).mean()
    assert left <= summary.cdl_residual.left + 0.5, "half a code of rounding"
