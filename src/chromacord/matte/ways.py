"""The user's options for making a matte."""

from dataclasses import dataclass

from chromacord.errors import InputError
from chromacord.matte.levels import Levels
from chromacord.matte.screen_key import parse_color


@dataclass(frozen=True)
class MatteOptions:
    """How to make a matte: exactly one way, and changes to its result."""

    key: str | None = None
    """Colour of the screen: "green", "blue", or "R,G,B" in 8-bit codes."""

    plate: str | None = None
    """The clip without its foreground: a clip of the same length, or a still."""

    box: str | None = None
    """Box around the foreground in the first frame, from which it is tracked: "X,Y,W,H" in pixels."""

    clicks: tuple[str, ...] = ()
    """Pixels of the foreground to track: "X,Y" or "X,Y,FRAME". Alone, or to correct `box`."""

    clicks_out: tuple[str, ...] = ()
    """Pixels that are not foreground: "X,Y" or "X,Y,FRAME"; for `clicks` and `box`."""

    model: str | None = None
    """The user's own matting model, an .onnx file."""

    model_config: str | None = None
    """The model's description in TOML. None: the file of the same name beside the model."""

    from_alpha: bool = False
    """Use the clip's own alpha."""

    clip: str | None = None
    """Coverage that becomes 0 and 1, "BLACK,WHITE"; for `key` and `plate`."""

    within: str | None = None
    """A mask outside which the matte is 0."""

    without: str | None = None
    """A mask inside which the matte is 0."""

    @property
    def ways(self) -> list[str]:
        """The given options that select a way."""
        given = {
            "--key": self.key,
            "--plate": self.plate,
            "--box": self.box,
            "--click": self.clicks[0] if self.clicks and self.box is None else None,
            "--model": self.model,
            "--from-alpha": self.from_alpha or None,
        }
        return [name for name, value in given.items() if value is not None]

    @property
    def limits(self) -> dict[str, str]:
        """The given masks that limit the matte."""
        given = {"within": self.within, "without": self.without}
        return {name: path for name, path in given.items() if path is not None}

    def check(self) -> None:
        """Check the options without reading files.

        Raises:
            InputError: an option is invalid, or options contradict each other.
        """
        if self.clicks_out and not self.clicks and self.box is None:
            raise InputError("--click-out: says what is not foreground; give --click or --box for what is")
        if not self.ways:
            raise InputError(
                "the way to make the matte is missing; give one of --key, --plate, --box, --click, --model and "
                "--from-alpha"
            )
        if len(self.ways) > 1:
            raise InputError(f"{' and '.join(self.ways)} are several ways to make a matte; give one of them")
        if self.model_config is not None and self.model is None:
            raise InputError("--model-config: describes a model; give it with --model, or leave it out")
        if self.key is not None:
            parse_color(self.key)
        if self.clip is not None:
            if self.key is None and self.plate is None:
                raise InputError(f"--clip: changes a matte of --key or --plate, not of {self.ways[0]}; leave it out")
            Levels.parse(self.clip)
