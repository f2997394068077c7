"""The method that changes nothing: the zero line of every table, and a test of everything around a method."""

from chromacord.color.transforms import Identity as IdentityTransform
from chromacord.methods.base import Method, Prediction, State
from chromacord.types import FloatArray


class Identity(Method):
    """Leave the composite as it is."""

    working_size = None

    def harmonize(self, composite: FloatArray, mask: FloatArray, state: State = None) -> Prediction:  # noqa: ARG002
        """Return the composite.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), L free.
            mask: not looked at. Shape (B, L, 1, H, W).
            state: not looked at.
        """
        return Prediction(composite.clip(0, 1), IdentityTransform.for_frames(composite.shape[0] * composite.shape[1]))
