"""The method interface: every method, image or video, learned or not, is a `Method`."""

from abc import ABC, abstractmethod
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Self, cast, get_args

from chromacord.color.transforms import ColorTransform
from chromacord.errors import InputError, MissingTorchError
from chromacord.types import Device, FloatArray, Size

State = Any
"""Data that a method passes from window to window of a shot; opaque to callers. None at the start of a shot."""


class Window(NamedTuple):
    """The frames of one call: L = past + hop + future go in, the `hop` frames in the middle come out."""

    past: int = 0
    hop: int = 1
    future: int = 0

    @property
    def length(self) -> int:
        """Number of input frames, L."""
        return self.past + self.hop + self.future


class Prediction(NamedTuple):
    """A method's result for the hop frames of a window."""

    harmonized: FloatArray
    """RGB in [0, 1]; background pixels are ignored. Shape (B, hop, 3, H, W)."""

    transform: ColorTransform | None = None
    """The same result as a colour map for the B * hop frames, batch first. None: the pipeline fits one."""

    state: State = None

    confidence: FloatArray | None = None
    """Estimated probability that the grade of each of the B * hop frames improves the match. Shape (B * hop,). None:
    not estimated."""


class Method(ABC):
    """A harmonization method. Constructors take flat keyword arguments; calls do not modify `self`."""

    window: Window = Window()
    working_size: Size | None = Size(256, 256)
    """Height and width that `harmonize` expects. None: any."""

    fitted: Literal["lut3d", "gains", "field"] = "lut3d"
    """What the pipeline fits when `Prediction.transform` is None: a LUT; one gain each for red, green and blue, which
    keeps only exposure and white balance, and black stays black; or an affine field, for spatially varying changes."""

    @abstractmethod
    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """Harmonize the hop frames of each window.

        Args:
            composite: display-referred RGB in [0, 1]. Shape (B, L, 3, H, W).
            mask: foreground weight in [0, 1], soft values allowed. Shape (B, L, 1, H, W).
            state: returned by the previous window of the same shot; None at the start of a shot.
        """

    def decide(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """Return only what the pipeline needs: with a global transform, pixels are unnecessary.

        Args:
            composite: as for `harmonize`. Shape (B, L, 3, H, W).
            mask: as for `harmonize`. Shape (B, L, 1, H, W).
            state: as for `harmonize`.

        Returns:
            As `harmonize`, but if `transform` is global, `harmonized` may be the unchanged composites.
        """
        return self.harmonize(composite, mask, state)

    def on(self, device: Device) -> Self:  # noqa: ARG002
        """Return the method, ready to run on a device; methods without torch always run on the CPU.

        Args:
            device: device for its networks.
        """
        return self


class TransformMethod(Method):
    """A method that decides a global transform for each frame independently, at any size, without touching pixels."""

    working_size = None

    @abstractmethod
    def transform(self, image: FloatArray, weight: FloatArray) -> ColorTransform:
        """Return each frame's colour transform; the identity for frames without foreground or background.

        Args:
            image: RGB in [0, 1]. Shape (N, 3, H, W).
            weight: foreground weight. Shape (N, 1, H, W).
        """

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """Map all pixels of every frame. See `Method.harmonize`; any L, and `state` is unused."""
        decided = self.decide(composite, mask, state)
        assert decided.transform is not None
        mapped = decided.transform(as_frames(composite)).clip(0, 1)
        return decided._replace(harmonized=mapped.reshape(composite.shape))

    def decide(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:  # noqa: ARG002
        """Decide the transforms without changing pixels. See `Method.decide`."""
        return Prediction(composite, self.transform(as_frames(composite), as_frames(mask)))


def as_frames(windows: FloatArray) -> FloatArray:
    """Concatenate the frames of all windows. Shape (B, L, C, H, W) to (B * L, C, H, W)."""
    return windows.reshape(-1, *windows.shape[2:])


def find_device(name: str) -> Device:
    """Return the device with this name if it is available. For the CPU, torch is not imported.

    Raises:
        InputError: the device does not exist.
    """
    if name not in get_args(Device):
        raise InputError(f"there is no device {name!r}; choose one of {', '.join(get_args(Device))}")
    if name == "cuda":
        if find_spec("torch") is None:
            raise MissingTorchError("device cuda")
        import torch

        if not torch.cuda.is_available():
            raise InputError("device cuda: torch finds none on this machine; use cpu, or install torch for CUDA")
    return cast(Device, name)
