"""Leave the composite as it is: the baseline of every table, and a test of everything around a method."""

from chromacord.color.transforms import Identity as IdentityTransform
from chromacord.methods.base import TransformMethod
from chromacord.types import FloatArray


class Identity(TransformMethod):
    """Leave the composite as it is."""

    def transform(self, image: FloatArray, weight: FloatArray) -> IdentityTransform:  # noqa: ARG002
        """Return what changes nothing. See `TransformMethod.transform`."""
        return IdentityTransform.for_frames(len(image))
