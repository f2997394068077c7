"""Video harmonization: make a pasted foreground look as if it had been filmed with its background.

import chromacord as cc

cc.harmonize_video("comp.mp4", mask="mask.mp4", output="out.mp4")
for frame in cc.harmonize_frames(pairs):  # arrays in, arrays out
    ...
grade = cc.analyse("comp.mp4", mask="mask.mp4")  # decide, change, render
cc.render(grade.by_hand(cc.Hand.of(saturation=1.1)), "comp.mp4", mask="mask.mp4", output="out.mp4")
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chromacord import errors
    from chromacord.api import analyse, harmonize_frames, harmonize_image, harmonize_video, render
    from chromacord.color.parameters.parametric import Parametric
    from chromacord.errors import ChromacordError, ChromacordWarning
    from chromacord.grade.by_hand import Hand, Strength
    from chromacord.grade.keys import Grade, Key, Shot
    from chromacord.job.options import Options
    from chromacord.job.summary import Summary
    from chromacord.job.threads import single_threaded
    from chromacord.methods import list_methods, load_method
    from chromacord.methods.base import Method, Prediction, Window
    from chromacord.types import Encoding, Progress

__version__ = "0.2.0"

_PLACES = {
    "ChromacordError": "errors",
    "ChromacordWarning": "errors",
    "Encoding": "types",
    "Grade": "grade.keys",
    "Hand": "grade.by_hand",
    "Key": "grade.keys",
    "Method": "methods.base",
    "Options": "job.options",
    "Parametric": "color.parameters.parametric",
    "Prediction": "methods.base",
    "Progress": "types",
    "Shot": "grade.keys",
    "Strength": "grade.by_hand",
    "Summary": "job.summary",
    "Window": "methods.base",
    "analyse": "api",
    "harmonize_frames": "api",
    "harmonize_image": "api",
    "harmonize_video": "api",
    "list_methods": "methods",
    "load_method": "methods",
    "single_threaded": "job.threads",
}

__all__ = [
    "ChromacordError",
    "ChromacordWarning",
    "Encoding",
    "Grade",
    "Hand",
    "Key",
    "Method",
    "Options",
    "Parametric",
    "Prediction",
    "Progress",
    "Shot",
    "Strength",
    "Summary",
    "Window",
    "__version__",
    "analyse",
    "errors",
    "harmonize_frames",
    "harmonize_image",
    "harmonize_video",
    "list_methods",
    "load_method",
    "render",
    "single_threaded",
]


def __getattr__(name: str) -> Any:
    """Import public names on first use: numpy and the codecs take time that `chromacord --help` can do without."""
    if name == "errors":
        return import_module(f"{__name__}.errors")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


class _Package(ModuleType):
    """Makes `chromacord.render` the function, which importing the subpackage of that name would replace."""

    @property
    def render(self) -> Any:
        """`chromacord.api.render`; import from the subpackage with `from chromacord.render import ...`."""
        return import_module("chromacord.api").render

    @render.setter
    def render(self, _: ModuleType) -> None: ...


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    """Return all public names, imported or not."""
    return sorted({*globals(), *__all__})
