"""Video harmonization: make a pasted foreground look as if it had been filmed with its background.

import chromacord as cc

cc.harmonize_video("comp.mp4", mask="mask.mp4", output="out.mp4")
for frame in cc.harmonize_frames(pairs, "mkl"):  # arrays in, arrays out
    ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chromacord.api import harmonize_video
    from chromacord.errors import ChromacordError, ChromacordWarning
    from chromacord.io import Encoding
    from chromacord.job.arrays import harmonize_frames
    from chromacord.job.summary import Summary
    from chromacord.methods import list_methods, load_method

__version__ = "0.1.0"

_PLACES = {
    "ChromacordError": "errors",
    "ChromacordWarning": "errors",
    "Encoding": "io",
    "Summary": "job.summary",
    "harmonize_frames": "job.arrays",
    "harmonize_video": "api",
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
