"""The options that each encoder is opened with."""

import warnings

from chromacord.errors import ChromacordWarning
from chromacord.io.base import Encoding
from chromacord.io.codecs import Choice

_DNXHR_PROFILES = {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx", "yuv444p10le": "dnxhr_444"}


def encoder_options(choice: Choice, encoding: Encoding) -> dict[str, str]:
    """Return libav's options for an encoder.

    Args:
        choice: codec and pixel format.
        encoding: what the user wants; what the codec has no setting for is left out.

    Warns:
        ChromacordWarning: the user named a quality or a speed that the codec does not have.
    """
    codec = choice.codec
    options = dict(codec.options)
    crf = codec.crf if encoding.crf is None else encoding.crf
    if codec.crf is not None:
        options["crf"] = f"{crf:g}"
    if codec.has_preset and encoding.preset is not None:
        options["preset"] = encoding.preset
    if choice.name == "dnxhr":
        options["profile"] = _DNXHR_PROFILES[choice.pix_fmt]
    _warn_of_unused(choice, encoding)
    return options


def _warn_of_unused(choice: Choice, encoding: Encoding) -> None:
    unused = []
    if encoding.crf is not None and choice.codec.crf is None:
        unused.append("crf")
    if encoding.preset is not None and not choice.codec.has_preset:
        unused.append("preset")
    if unused:
        warnings.warn(f"{choice.name} has no {' and no '.join(unused)}; ignored", ChromacordWarning, stacklevel=2)
