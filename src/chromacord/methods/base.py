"""The method interface: every method, image or video, learned or not, is a `Method`."""

from abc import ABC, abstractmethod
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Self, cast, get_args

from chromacord.color.transforms import ColorTransform
from chromacord.errors import InputError, MissingTorchError
from chromacord.types import Device, FloatArray, Size

State = Any
"""What a method carries from window to window of one shot. Opaque to everyone else; None at the start of a shot."""


class Window(NamedTuple):
    """The frames a method sees at once: L = past + hop + future go in, the hop frames in the middle come out."""

    past: int = 0
    hop: int = 1
    future: int = 0

    @property
    def length(self) -> int:
        """Number of frames that go in, L."""
        return self.past + self.hop + self.future


class Prediction(NamedTuple):
    """What a method decides for the hop frames of a window."""

    harmonized: FloatArray
    """RGB in [0, 1]; background pixels are ignored. Shape (B, hop, 3, H, W)."""

    transform: ColorTransform | None = None
    """The same result as a colour map for the B * hop frames, batch first. None: the pipeline fits one."""

    state: State = None

    confidence: FloatArray | None = None
    """How far the grade of each of the B * hop frames can be trusted, in [0, 1]. Shape (B * hop,). None: the method
    cannot tell."""


class Method(ABC):
    """A way to harmonize. Constructors take flat keyword arguments; nothing is written to `self` while it runs."""

    window: Window = Window()
    working_size: Size | None = Size(256, 256)
    """Height and width that `harmonize` expects. None: any."""

    fitted: Literal["lut3d", "gains", "field"] = "lut3d"
    """What the pipeline fits when `Prediction.transform` is None: a LUT; one gain for each of red, green and blue,
    which takes from a method nothing but its exposure and white balance, and keeps black black; or an affine field,
    for changes that depend on the place."""

    @abstractmethod
    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """Harmonize the hop frames of each window.

        Args:
            composite: display-referred RGB in [0, 1]. Shape (B, L, 3, H, W).
            mask: foreground weight in [0, 1], soft values allowed. Shape (B, L, 1, H, W).
            state: what the previous window of the same shot returned; None at the start of a shot.
        """

    def decide(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """Do what the pipeline needs of `harmonize`: a global transform makes the pixels unnecessary.

        Args:
            composite: as for `harmonize`. Shape (B, L, 3, H, W).
            mask: as for `harmonize`. Shape (B, L, 1, H, W).
            state: as for `harmonize`.

        Returns:
            As `harmonize`; but where `transform` is global, `harmonized` may be the composites as they came.
        """
        return self.harmonize(composite, mask, state)

    def on(self, device: Device) -> Self:  # noqa: ARG002
        """Return the method, ready to run on a device; one that needs no torch runs on the processor whatever is asked.

        Args:
            device: where its networks calculate.
        """
        return self


class TransformMethod(Method):
    """A method that decides a global transform for each frame by itself, of any size, and so need not touch pixels."""

    working_size = None

    @abstractmethod
    def transform(self, image: FloatArray, weight: FloatArray) -> ColorTransform:
        """Return what is done to the colours of each frame; one without foreground or background is left as it is.

        Args:
            image: RGB in [0, 1]. Shape (N, 3, H, W).
            weight: of the foreground. Shape (N, 1, H, W).
        """

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:
        """Map every frame, all of its pixels. See `Method.harmonize`; L is free, and `state` is not looked at."""
        decided = self.decide(composite, mask, state)
        assert decided.transform is not None
        mapped = decided.transform(as_frames(composite)).clip(0, 1)
        return decided._replace(harmonized=mapped.reshape(composite.shape))

    def decide(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:  # noqa: ARG002
        """Decide the transforms, and change no pixel. See `Method.decide`."""
        return Prediction(composite, self.transform(as_frames(composite), as_frames(mask)))


def as_frames(windows: FloatArray) -> FloatArray:
    """Return the frames of all windows one after another. Shape (B, L, C, H, W) to (B * L, C, H, W)."""
    return windows.reshape(-1, *windows.shape[2:])


def find_device(name: str) -> Device:
    """Return the device of this name, where a method can run. Nothing is imported for the CPU.

    Raises:
        InputError: there is no such device here.
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
