"""Video harmonization: make a pasted foreground look as if it had been filmed with its background.

import chromacord as cc

cc.harmonize_video("comp.mp4", mask="mask.mp4", output="out.mp4")
for frame in cc.harmonize_frames(pairs):  # arrays in, arrays out
    ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chromacord.api import harmonize_video
    from chromacord.color.parameters.parametric import Parametric
    from chromacord.errors import ChromacordError, ChromacordWarning
    from chromacord.grade.by_hand import Strength
    from chromacord.grade.keys import Grade
    from chromacord.job.arrays import harmonize_frames, harmonize_image
    from chromacord.job.options import Options
    from chromacord.job.summary import Summary
    from chromacord.methods import list_methods, load_method
    from chromacord.methods.base import Method, Prediction, Window
    from chromacord.types import Encoding, Progress

__version__ = "0.2.0"

_PLACES = {
    "ChromacordError": "errors",
    "ChromacordWarning": "errors",
    "Encoding": "types",
    "Grade": "grade.keys",
    "Method": "methods.base",
    "Options": "job.options",
    "Parametric": "color.parameters.parametric",
    "Prediction": "methods.base",
    "Progress": "types",
    "Strength": "grade.by_hand",
    "Summary": "job.summary",
    "Window": "methods.base",
    "harmonize_frames": "job.arrays",
    "harmonize_image": "job.arrays",
    "harmonize_video": "api",
    "list_methods": "methods",
    "load_method": "methods",
}

__all__ = [
    "ChromacordError",
    "ChromacordWarning",
    "Encoding",
    "Grade",
    "Method",
    "Options",
    "Parametric",
    "Prediction",
    "Progress",
    "Strength",
    "Summary",
    "Window",
    "__version__",
    "harmonize_frames",
    "harmonize_image",
    "harmonize_video",
    "list_methods",
    "load_method",
]


def __getattr__(name: str) -> Any:
    """Import public names on first use: numpy and the codecs take time that `chromacord --help` can do without."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    """Return all public names, imported or not."""
    return sorted({*globals(), *__all__})
