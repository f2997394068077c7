"""The one interface: every method, image or video, learned or not, is a `Method`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from chromacord.color.transforms import ColorTransform
from chromacord.errors import InputError
from chromacord.types import Size

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

    harmonized: Tensor
    """RGB in [0, 1]; background pixels are ignored. Shape (B, hop, 3, H, W)."""

    transform: ColorTransform | None = None
    """The same result as a colour map for the B * hop frames, batch first. None: the pipeline fits one."""

    state: State = None

    confidence: Tensor | None = None
    """How far the grade of each of the B * hop frames can be trusted, in [0, 1]. Shape (B * hop,). None: the method
    cannot tell."""


class Method(nn.Module, ABC):
    """A way to harmonize. Constructors take flat keyword arguments; nothing is written to `self` while it runs."""

    window: Window = Window()
    working_size: Size | None = Size(256, 256)
    """Height and width that `forward` expects. None: any."""

    fitted: Literal["lut3d", "gains", "field"] = "lut3d"
    """What the pipeline fits when `Prediction.transform` is None: a LUT; one gain for each of red, green and blue,
    which takes from a method nothing but its exposure and white balance, and keeps black black; or an affine field,
    for changes that depend on the place."""

    is_published_whole: bool = True
    """Whether checkpoints that others published hold all of the weights; otherwise a part that training starts from."""

    @abstractmethod
    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> Prediction:
        """Harmonize the hop frames of each window.

        Args:
            composite: display-referred RGB in [0, 1]. Shape (B, L, 3, H, W).
            mask: foreground weight in [0, 1], soft values allowed. Shape (B, L, 1, H, W).
            state: what the previous window of the same shot returned; None at the start of a shot.
        """

    def decide(self, composite: Tensor, mask: Tensor, state: State = None) -> Prediction:
        """Do what the pipeline needs of `forward`: where there is a global transform, nobody looks at the pixels.

        Args:
            composite: as for `forward`. Shape (B, L, 3, H, W).
            mask: as for `forward`. Shape (B, L, 1, H, W).
            state: as for `forward`.

        Returns:
            As `forward`; but where `transform` is global, `harmonized` may be the composites as they came.
        """
        prediction: Prediction = self(composite, mask, state)
        return prediction

    def in_torch(self) -> nn.Module:
        """Return the network as torch knows it, to count its parameters and operations: mostly the method itself."""
        return self

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ARG003
        """Return the weights that `weights=` takes, of a checkpoint that the method's authors published.

        Args:
            checkpoint: its tensors by key, as `weights.published.read_checkpoint` gives them. Any shape.

        Raises:
            InputError: none were published, or these are of another method: names the first keys that differ.
        """
        raise InputError("no checkpoints of this method were published")

    @classmethod
    def needed_options(cls, state: Mapping[str, Tensor]) -> str:  # noqa: ARG003
        """Return the options that weights need beside them, as they stand behind the method's name; mostly none.

        Args:
            state: weights, as `from_published` gives them. Any shape.
        """
        return ""
