"""All exceptions that chromacord raises on purpose.

Each message is one line that says what is wrong, where, and what to do. The command line prints it and exits with code
2; Python callers catch `ChromacordError` or a subclass.
"""

import unicodedata
from collections.abc import Collection, Iterable

INSTALL_TORCH = "in a checkout of chromacord, run: pip install '.[torch]'"

_BREAKING = ("Cc", "Zl", "Zp")
"""Unicode categories of line breaks and of characters that control terminals."""


def one_line(text: str) -> str:
    """Escape line breaks and other control characters, which file names may contain."""
    return "".join(ascii(each)[1:-1] if unicodedata.category(each) in _BREAKING else each for each in text)


def counted(number: int, noun: str, verb: tuple[str, str] | None = None) -> str:
    """Return a count with its noun: "1 frame", "2 frames", "1 process".

    Args:
        number: the count.
        noun: the noun in the singular.
        verb: verb to append, in the singular and the plural, such as ("is", "are").
    """
    plural = noun if number == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {plural}" + ("" if verb is None else f" {verb[number != 1]}")


def did_you_mean(given: object, known: Iterable[object]) -> str:
    """Return " (did you mean NAME?)" with the known name most similar to an unknown one; "" if none is close."""
    from difflib import get_close_matches

    by_lower = {str(name).lower(): str(name) for name in known}
    near = get_close_matches(str(given).lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""


def one_of(given: object, known: Collection[object]) -> str:
    """Return the advice for an unknown name: "choose one of a, b, c (did you mean b?)"."""
    return f"choose one of {', '.join(map(str, known))}{did_you_mean(given, known)}"


class ChromacordError(Exception):
    """Base class of all errors that users can fix."""

    def __str__(self) -> str:
        """Return the message as one line."""
        return one_line(str(self.args[0])) if self.args else ""


class InputError(ChromacordError, ValueError):
    """An input or an option cannot be used."""


class MissingTorchError(InputError):
    """A requested feature needs torch, which is not installed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} needs torch, which is not installed: {INSTALL_TORCH}")


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder does not exist, or a folder holds no images."""


class SequenceGapError(InputError):
    """An image sequence lacks a frame."""


class UnreadableFileError(InputError):
    """A file is not a decodable video or image, or has no video stream."""


class TruncatedFileError(UnreadableFileError):
    """A file ends, or becomes unreadable, in the middle."""


class NonFiniteError(InputError):
    """A float image holds NaN or infinity."""


class MismatchError(InputError):
    """Composite and mask (or foreground and background) differ in size or in number of frames."""


class NothingToDoError(InputError):
    """The mask is empty, or covers everything, in all frames."""


class GradeFileError(InputError):
    """A grade file cannot be read or does not belong to the clip."""


class CodecError(InputError):
    """A codec is unknown, or cannot represent the source's format."""


class DivergedError(ChromacordError):
    """A training run's loss became NaN or infinite."""


class ProcessDiedError(ChromacordError):
    """A worker process was killed."""


class OutputError(ChromacordError, OSError):
    """The output cannot be written."""


class OutputExistsError(OutputError, FileExistsError):
    """The output exists already, or is one of the inputs."""


class ChromacordWarning(UserWarning):
    """Something was left out or changed that users should know about; the run continues."""

    def __str__(self) -> str:
        """Return the message as one line."""
        return one_line(str(self.args[0])) if self.args else ""
