"""Pictures to train on, and pictures held out."""

from pathlib import Path

from chromacord.data.photographs import Photographs
from chromacord.errors import InputError


def divided(photographs: Photographs, share: float, folder: Path) -> tuple[Photographs, Photographs]:
    """Return what is trained on and what validates.

    Args:
        photographs: all that were read.
        share: of them that validates; 0: none does.
        folder: where they were read from, for the message.

    Raises:
        InputError: the share leaves either of them empty.
    """
    trained, held_out = photographs.split(share)
    if not len(trained) or (share and not len(held_out)):
        raise InputError(
            f"{folder}: {len(held_out)} of {len(photographs)} pictures are held out at [data] held_out = {share:g}; "
            f"choose a {'larger share, or 0 to validate on none' if len(trained) else 'smaller share'}"
        )
    return trained, held_out
