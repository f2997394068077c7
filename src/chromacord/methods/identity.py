"""Return the composite unchanged: the baseline of every table, and a test of the pipeline around a method."""

from chromacord.color.transforms import Identity as IdentityTransform
from chromacord.methods.base import TransformMethod
from chromacord.types import FloatArray


class Identity(TransformMethod):
    """Leave the composite unchanged."""

    def transform(self, image: FloatArray, weight: FloatArray) -> IdentityTransform:  # noqa: ARG002
        """Return the identity. See `TransformMethod.transform`."""
        return IdentityTransform.for_frames(len(image))
