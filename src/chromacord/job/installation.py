"""Diagnose the installation: what works, and what to install for the rest.

Functions import the libraries that they examine, because these may be missing.
"""

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import NamedTuple

from chromacord.errors import INSTALL_TORCH, ChromacordError, InputError
from chromacord.io.cores import num_cores

PROGRAM = "chromacord"


class Part(NamedTuple):
    """One component of an installation."""

    name: str
    found: str
    """What was found, or why it is missing."""

    remedy: str | None = None
    """How to fix it; None: nothing to do."""

    is_needed: bool = False
    """Whether clips cannot be harmonized until it is fixed."""


def examine() -> Iterator[Part]:
    """Examine everything that harmonizing requires or can use, required components first."""
    yield Part("python", f"{platform.python_version()}, {platform.machine()}, {num_cores()} cores")
    libraries = tuple(_libraries())
    yield from libraries
    if any(part.remedy for part in libraries):
        # The parts below import these libraries.
        return  # nothing else can be imported
    yield _renderer()
    yield _codecs()
    yield _config()
    yield _methods()
    yield from _torch()


def _libraries() -> Iterator[Part]:
    """Check the package's mandatory dependencies; extras are checked elsewhere."""
    for line in requires(PROGRAM) or ():
        if "extra ==" in line:
            continue
        name, bounds = re.split("[<>]", line)[0], _BOUND.findall(line)
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Part(name, "not installed", f"pip install '{line}'", is_needed=True)
            continue
        # pip only warns when another package replaces a library with a version that does not fit.
        if all(_fits(found, *bound) for bound in bounds):
            yield Part(name, found)
        else:
            yield Part(name, f"{found}, an unsupported version", f"pip install '{line}'", is_needed=True)


_BOUND = re.compile(r"(>=|<)([\d.]+)")


def _fits(found: str, relation: str, bound: str) -> bool:
    """Whether a version lies on the right side of a bound. The numbers suffice: no bound names a pre-release."""
    one, other = (tuple(map(int, re.findall(r"\d+", text))) for text in (found, bound))
    return one >= other if relation == ">=" else one < other


def _renderer() -> Part:
    from chromacord.render.compiled import REMEDY, renderer_name

    name = renderer_name()
    if name == "compiled":
        return Part("renderer", name)
    remedy = f"for a renderer that is about three times as fast, {REMEDY}"
    return Part("renderer", f"{name}; the compiled one is missing or out of date", remedy)


def _codecs() -> Part:
    from chromacord.io.video.codecs import missing_encoders

    missing = missing_encoders()
    if not missing:
        return Part("codecs", "all can be written")
    return Part("codecs", f"cannot write {', '.join(missing)}", "pip install --force-reinstall --only-binary av av")


def _config() -> Part:
    from chromacord.color.management.config import choose_config, space_names

    config = choose_config(None)
    try:
        return Part("colour config", f"{config}, {len(space_names(config))} spaces")
    except ChromacordError as error:
        return Part("colour config", str(error), "correct or unset $OCIO")


def _methods() -> Part:
    from chromacord.methods import DEFAULT_METHOD, list_methods

    known = list_methods()
    usable = [info for info in known if not info.install]
    found = f"{len(usable)} of {len(known)} can run here; the default is {DEFAULT_METHOD}"
    missing = sorted({info.install for info in known if info.install})
    return Part("methods", found, f"for the others, {missing[0]}" if missing else None)


def _torch() -> Iterator[Part]:
    """Check torch, its GPU, and the other requirements of training."""
    from chromacord.methods.base import find_device

    if find_spec("torch") is None:
        yield Part("torch", "not installed", f"for evaluation and --device cuda, {INSTALL_TORCH}")
        return
    yield Part("torch", version("torch"))
    try:
        find_device("cuda")
        yield Part("gpu", "CUDA, through torch")
    except InputError:
        yield Part("gpu", "none that torch can use")
    missing = [name for name in ("accelerate", "tensorboard") if find_spec(name) is None]
    if missing:
        remedy = f"to train, {INSTALL_TORCH.replace('[torch]', '[train]')}"
        yield Part("training", f"lacks {', '.join(missing)}", remedy)
    else:
        yield Part("training", "can run")
