"""Everything chromacord raises on purpose.

Each message is one line that says what is wrong, where, and what to do. The command line prints it and exits with
code 2; Python callers catch `ChromacordError` or one of its kinds.
"""

import unicodedata
from collections.abc import Collection, Iterable

INSTALL_TORCH = "in a checkout of chromacord, run: pip install '.[torch]'"

_BREAKING = ("Cc", "Zl", "Zp")
"""Unicode's categories of what breaks a line, or that a terminal obeys."""


def one_line(text: str) -> str:
    """Return a text with line breaks and other control characters as escapes: names of files may hold them."""
    return "".join(ascii(each)[1:-1] if unicodedata.category(each) in _BREAKING else each for each in text)


def counted(number: int, noun: str, verb: tuple[str, str] | None = None) -> str:
    """Return a count in words: "1 frame", "2 frames", "1 process".

    Args:
        number: how many.
        noun: what, in the singular.
        verb: what follows, of one and of several, such as ("is", "are").
    """
    plural = noun if number == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {plural}" + ("" if verb is None else f" {verb[number != 1]}")


def did_you_mean(given: object, known: Iterable[object]) -> str:
    """Return " (did you mean NAME?)" with the name that is spelled most like an unknown one; "" if none is close."""
    from difflib import get_close_matches

    by_lower = {str(name).lower(): str(name) for name in known}
    near = get_close_matches(str(given).lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""


def one_of(given: object, known: Collection[object]) -> str:
    """Return what to do about an unknown name, for a message: "choose one of a, b, c (did you mean b?)"."""
    return f"choose one of {', '.join(map(str, known))}{did_you_mean(given, known)}"


class ChromacordError(Exception):
    """Base of all errors that a user can do something about."""

    def __str__(self) -> str:
        """Return the message, in one line."""
        return one_line(str(self.args[0])) if self.args else ""


class InputError(ChromacordError, ValueError):
    """An input or an option cannot be used."""


class MissingTorchError(InputError):
    """What was asked for runs in torch, which is not installed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} needs torch, which is not installed: {INSTALL_TORCH}")


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder does not exist, or a folder holds no images."""


class SequenceGapError(InputError):
    """An image sequence lacks a frame."""


class UnreadableFileError(InputError):
    """A file is no video or image that can be decoded, or has no picture stream."""


class TruncatedFileError(UnreadableFileError):
    """A file ends, or breaks, in the middle."""


class NonFiniteError(InputError):
    """A float image holds NaN or infinity."""


class MismatchError(InputError):
    """Composite and mask (or foreground and background) differ in size or in number of frames."""


class NothingToDoError(InputError):
    """The mask is empty, or covers everything, in all frames."""


class GradeFileError(InputError):
    """A grade file cannot be read or does not belong to the clip."""


class CodecError(InputError):
    """A codec is unknown, or cannot hold what the source has."""


class DivergedError(ChromacordError):
    """A training run's loss is no number any more."""


class ProcessDiedError(ChromacordError):
    """A process of a pool was killed."""


class OutputError(ChromacordError, OSError):
    """The output cannot be written."""


class OutputExistsError(OutputError, FileExistsError):
    """The output exists already, or is one of the inputs."""


class ChromacordWarning(UserWarning):
    """Something was left out or changed that the user should know of; the run goes on."""

    def __str__(self) -> str:
        """Return the message, in one line."""
        return one_line(str(self.args[0])) if self.args else ""
