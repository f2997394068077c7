"""Write a sound file for generated clips."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from chromacord.io.video import file_url
from chromacord.io.writing.staging import StagedFile, output_errors
from chromacord.types import FloatArray


def write_sound(path: Path, samples: FloatArray, *, rate: int = 48000, force: bool = False) -> None:
    """Write sound as AAC; pass the file to a sink as its source of streams to add it to a video.

    Args:
        path: the file; its suffix selects the container ("sound.m4a").
        samples: left and right channel in [-1, 1]. Shape (2, number of samples).
        rate: samples per second.
        force: overwrite an existing file.

    Raises:
        OutputError: the file cannot be written.
    """
    with StagedFile(path, force=force) as staged:
        with output_errors(path), av.open(file_url(staged.temporary), "w", format="ipod") as container:
            stream = container.add_stream("aac", rate=rate, layout="stereo")
            stream.codec_context.open()
            step = stream.codec_context.frame_size
            for start in range(0, samples.shape[1], step):
                # AAC requires exactly this many samples in every frame but the last.
                part = np.ascontiguousarray(samples[:, start : start + step], dtype=np.float32)
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        staged.commit()
