"""Run a user's own ONNX matting model in OpenCV.

OpenCV supports several inputs and outputs, changing sizes, scalar inputs, and states of any size. A damaged file may
crash it, so each model is first tried in a separate process.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from chromacord.errors import InputError
from chromacord.matte.model_config import ModelConfig, read_config
from chromacord.parsing import DAMAGE, read_file, reason_of
from chromacord.types import FloatArray, Size

MAX_BYTES = 1 << 30
"""Maximum size of a model's file in bytes."""

_TOLERANCE = 0.05
"""Tolerance for coverage outside [0, 1], from rounding and resampling in a model."""

_TRIAL_SECONDS = 600
_CAUSE = " error: ("
_LONGEST_CAUSE = 160


class MattingModel:
    """Estimates the coverage of a clip's frames, in order."""

    def __init__(self, path: Path, config: ModelConfig) -> None:
        """Load a model.

        Args:
            path: an .onnx file with its weights.
            config: description of its inputs and output.

        Raises:
            InputError: the file cannot be read, is too large, or OpenCV cannot load it.
        """
        self._path, self._config = path, config
        content = np.frombuffer(read_file(path, limit=MAX_BYTES, missing="name a model"), np.uint8)
        with _cv_errors(path, "cannot be loaded by OpenCV"):
            self._network = cv2.dnn.readNetFromONNX(content)
            self._names = [str(name) for name in self._network.getUnconnectedOutLayersNames()]
        self._outputs = [config.output or self._names[0], *(state.output for state in config.states)]
        if unknown := [name for name in self._outputs if name not in self._names]:
            raise InputError(f"{path}: has no output {unknown[0]!r}; choose one of {', '.join(self._names)}")
        self._states: list[FloatArray] = []
        self._count = 0
        self.restart()

    @property
    def is_recurrent(self) -> bool:
        """Whether a frame's matte depends on earlier frames."""
        return bool(self._config.states)

    def restart(self) -> None:
        """Reset the state, as at a cut."""
        self._states = [np.zeros(state.shape, np.float32) for state in self._config.states]

    def matte(self, picture: FloatArray) -> FloatArray:
        """Return the coverage of the next frame, in [0, 1]. Shape (H, W).

        Args:
            picture: R'G'B' in [0, 1]. Shape (H, W, 3).

        Raises:
            InputError: OpenCV cannot run the model, or its output is not coverage; names the frame.
        """
        full = Size(*picture.shape[:2])
        size = self._config.working_size(full)
        with _cv_errors(self._path, f"fails at {size.width}x{size.height}, frame {self._count}"):
            for name, tensor in self._inputs(picture, size):
                self._network.setInput(tensor, name)
            # OpenCV 5.0 fails unless all outputs are requested.
            found = dict(zip(self._names, self._network.forward(self._names), strict=True))
        output, *states = (found[name] for name in self._outputs)
        self._states = [np.array(state, np.float32) for state in states]
        if not all(np.isfinite(state).all() for state in self._states):
            raise self._refusal("a state holds values that are not finite; check mean and deviation")
        coverage = self._coverage(np.asarray(output, np.float32))
        self._count += 1
        enlarged: FloatArray = cv2.resize(coverage, (full.width, full.height), interpolation=_kind(size, full))
        return enlarged.clip(0, 1)

    def _inputs(self, picture: FloatArray, size: Size) -> Iterator[tuple[str, FloatArray]]:
        config = self._config
        full = Size(*picture.shape[:2])
        scaled = cv2.resize(picture, (size.width, size.height), interpolation=_kind(full, size))
        ordered = scaled if config.channels == "rgb" else scaled[..., ::-1]
        tensor = (ordered - np.array(config.mean, np.float32)) / np.array(config.deviation, np.float32)
        planes = tensor if config.layout == "nhwc" else tensor.transpose(2, 0, 1)
        yield config.input, np.ascontiguousarray(planes[None])
        for state, values in zip(config.states, self._states, strict=True):
            yield state.input, values
        for number in config.numbers:
            yield number.input, np.array([number.of(full)], np.float32)

    def _coverage(self, output: FloatArray) -> FloatArray:
        """Convert an output to coverage in [0, 1]. Shape (h, w)."""
        plane = self._plane(output)
        if not np.isfinite(plane).all():
            raise self._refusal("its output holds values that are not finite; check mean and deviation")
        if self._config.values == "logits":
            # exp(89) overflows float32; beyond 80 the result rounds to 0 or 1 anyway.
            share: FloatArray = 1 / (1 + np.exp(-plane.clip(-80, 80)))
            return share
        low, high = float(plane.min()), float(plane.max())
        if self._config.values == "relative":
            # A constant output has no foreground: it becomes 0, not NaN.
            return (plane - low) / max(high - low, 1e-6)
        if low < -_TOLERANCE or high > 1 + _TOLERANCE:
            raise self._refusal(
                f"its output has values from {low:.3g} to {high:.3g}, coverage goes from 0 to 1; choose the coverage's "
                'output, or set values to "logits" or "relative"'
            )
        return plane

    def _plane(self, output: FloatArray) -> FloatArray:
        """Return the output's channel with the matte. Shape (h, w)."""
        shape, config = output.shape, self._config
        given = "x".join(map(str, shape))
        if len(shape) == 4 and shape[0] == 1:
            planes = output[0] if config.layout == "nchw" else output[0].transpose(2, 0, 1)
        elif len(shape) == 3:
            planes = output if config.layout == "nchw" or shape[0] == 1 else output.transpose(2, 0, 1)
        else:
            planes = output[None] if len(shape) == 2 else output
        if planes.ndim != 3 or min(planes.shape) < 1:
            raise self._refusal(f"its output has the shape {given}, a matte has one picture; choose another output")
        if config.channel is None and len(planes) > 1:
            raise self._refusal(f"its output {given} has {len(planes)} channels; set channel, counted from 0")
        channel = config.channel or 0
        if channel >= len(planes):
            raise self._refusal(f"its output {given} has no channel {channel}; channels are counted from 0")
        return np.ascontiguousarray(planes[channel])

    def _refusal(self, message: str) -> InputError:
        return InputError(f"{self._path}: frame {self._count}: {message}")


def load_model(model: Path | str, config: Path | str | None, size: Size) -> MattingModel:
    """Load a model with its description, after a trial run.

    Args:
        model: an .onnx file.
        config: its description. None: the TOML file of the same name beside it.
        size: size of the pictures.

    Raises:
        InputError: a file cannot be read, a value in the description is invalid, or the model crashes OpenCV.
    """
    path = Path(model)
    described = read_config(path, None if config is None else Path(config))
    described.working_size(size)
    words = [str(path), "" if config is None else str(config), str(size.height), str(size.width)]
    command = [sys.executable, "-c", _TRIAL, *words]
    try:
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_TRIAL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{path}: a frame takes more than {_TRIAL_SECONDS} s; set size or longest") from None
    # Only crashes matter here: an exception occurs again below, in this process, with its message.
    if done.returncode < 0:
        raise InputError(f"{path}: crashes OpenCV (signal {-done.returncode}); check the file, or export it again")
    return MattingModel(path, described)


_TRIAL = "import sys; from chromacord.matte.model import trial; trial(*sys.argv[1:])"


def trial(model: str, config: str, height: str, width: str) -> None:
    """Run a model on grey frames; errors are raised, or end the process. A second frame tests the states.

    Args:
        model, config: paths; an empty one means none.
        height, width: size of the pictures.
    """
    path = Path(model)
    described = read_config(path, Path(config) if config else None)
    loaded = MattingModel(path, described)
    for _ in range(2 if described.states else 1):
        loaded.matte(np.full((int(height), int(width), 3), 0.5, np.float32))


@contextmanager
def _cv_errors(path: Path, said: str) -> Iterator[None]:
    """Convert OpenCV's errors to one line with their cause, and keep its log off the screen."""
    caught: tuple[type[Exception], ...] = (*DAMAGE, cv2.error)
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)
    try:
        yield
    except caught as error:
        raise InputError(f"{path}: {said}: {_cause(error)}; docs/matte.md lists what OpenCV runs") from error
    finally:
        cv2.utils.logging.setLogLevel(level)


def _cause(error: Exception) -> str:
    """Return the innermost cause that OpenCV reports, without its source file."""
    text = " ".join(str(error).split())
    if not isinstance(error, cv2.error) or _CAUSE not in text:
        return reason_of(error)
    said, _, function = text.rpartition(_CAUSE)[2].partition(")")[2].strip(" >").partition("in function ")
    return (said.strip() or function)[:_LONGEST_CAUSE]


def _kind(before: Size, after: Size) -> int:
    """Return the interpolation for a change of size: area averaging for reductions."""
    return cv2.INTER_AREA if after.height < before.height and after.width < before.width else cv2.INTER_LINEAR
