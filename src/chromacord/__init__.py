"""Video harmonization: make a pasted foreground look as if it had been filmed with its background.

import chromacord as cc

cc.harmonize_video("comp.mp4", mask="mask.mp4", output="out.mp4")
for frame in cc.harmonize_frames(pairs, "mkl"):  # arrays in, arrays out
    ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chromacord.errors import ChromacordError, ChromacordWarning
    from chromacord.io import Encoding
    from chromacord.methods import list_methods, load_method
    from chromacord.pipeline.arrays import harmonize_frames
    from chromacord.pipeline.summary import Summary
    from chromacord.pipeline.video import harmonize_video

__version__ = "0.1.0"

_PLACES = {
    "ChromacordError": "errors",
    "ChromacordWarning": "errors",
    "Encoding": "io",
    "Summary": "pipeline.summary",
    "harmonize_frames": "pipeline.arrays",
    "harmonize_video": "pipeline.video",
    "list_methods": "methods",
    "load_method": "methods",
}

__all__ = [
    "ChromacordError",
    "ChromacordWarning",
    "Encoding",
    "Summary",
    "__version__",
    "harmonize_frames",
    "harmonize_video",
    "list_methods",
    "load_method",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: numpy and the codecs cost time that `chromacord --help` need not pay."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
