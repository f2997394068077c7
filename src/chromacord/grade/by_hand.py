"""Manual changes to a decided grade: weaken parts of it, and adjust exposure, balance and more after it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np

from chromacord.color.parameters.hues import HueRange
from chromacord.color.parameters.parametric import Parametric, as_mired
from chromacord.color.spaces import LUMA
from chromacord.color.transforms import AffineField, ColorTransform, Identity, Lut3d, blend, lattice
from chromacord.errors import InputError, counted, one_of
from chromacord.parsing import shown
from chromacord.types import FloatArray

_PROTECTION = 0.8
"""Share of the colour change that is removed from protected hues."""

BENT_LUT_SIZE = 17
"""Minimum nodes per side of a LUT after a manual adjustment; they coincide with every second node of the renderer's."""


@dataclass(frozen=True)
class Strength:
    """How much of a grade is applied, from 0 (nothing) to 1 (all)."""

    tone: float = 1.0
    """Strength of the luma change."""

    colour: float = 1.0
    """Strength of the rest of the change."""

    def __post_init__(self) -> None:
        """Check the range, because other values would exaggerate or invert a grade.

        Raises:
            InputError: a value is out of range; names the part.
        """
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise InputError(f"strength of {name} must lie in 0..1, got {value}")

    @classmethod
    def both(cls, share: float) -> Self:
        """Return an equal strength for tone and colour."""
        return cls(share, share)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse "0.5", "tone=0.5", "colour=1" or "tone=0.5,colour=1".

        Raises:
            InputError: the text is none of these.
        """
        parts = dict.fromkeys(("tone", "colour"), 1.0)
        try:
            if "=" not in text:
                return cls.both(_in_range(float(text)))
            for part in text.split(","):
                name, _, value = part.partition("=")
                # Any other name becomes an unexpected argument of `cls`, a TypeError.
                parts[{"color": "colour"}.get(name.strip(), name.strip())] = float(value)
            return cls(**parts)
        # InputError is also a ValueError, but already says what is wrong.
        except InputError:
            raise
        except (TypeError, ValueError):
            raise InputError(f"strength {text!r}: write a number in 0..1, or tone=0.5,colour=1") from None

    def __mul__(self, other: "Strength") -> "Strength":
        """Combine two strengths by multiplication."""
        return Strength(self.tone * other.tone, self.colour * other.colour)


def as_strength(strength: "float | str | Strength") -> Strength:
    """Convert a number, or text that `Strength.parse` accepts, to a strength.

    Raises:
        InputError: it is not in 0 to 1.
    """
    if isinstance(strength, Strength):
        return strength
    if isinstance(strength, str):
        return Strength.parse(strength)
    return Strength.both(_in_range(strength))


def _in_range(strength: object) -> float:
    share = float(strength) if isinstance(strength, Real) and not isinstance(strength, bool) else -1.0
    if not 0 <= share <= 1:
        raise InputError(f"strength must lie in 0..1, got {shown(strength)}")
    return share


FULL, NONE = Strength(), Strength(0, 0)
NO_TURN = Parametric()


@dataclass(frozen=True)
class Hand:
    """All manual changes to a grade."""

    strength: Strength = FULL
    turn: Parametric = NO_TURN
    protect: HueRange | None = None
    """Hues to change less."""

    @classmethod
    def of(
        cls,
        *,
        strength: "float | str | Strength" = FULL,
        exposure: float = 0.0,
        temperature: float | str = 0.0,
        tint: float = 0.0,
        contrast: float = 1.0,
        saturation: float = 1.0,
        black: float = 0.0,
        protect: str | None = None,
    ) -> Self:
        """Combine manual controls; names and units are those of `chromacord.Options`.

        Raises:
            InputError: a value is invalid; names it.
        """
        turn = Parametric(exposure, as_mired(temperature), tint, contrast, black=black, saturation=saturation)
        return cls(as_strength(strength), turn.checked(), None if protect is None else HueRange.parse(protect))

    def of_shot(self, number: int) -> "Hand":  # noqa: ARG002 - the same for all shots
        """Return the changes to a shot, counted from 1."""
        return self

    def check(self, num_shots: int) -> None:
        """Accept any number of shots. See `Hands.check`."""

    @property
    def only_weakens(self) -> bool:
        """Whether only the strength is changed."""
        return self.turn.is_neutral and self.protect is None

    def __call__(self, transform: ColorTransform) -> ColorTransform:
        """Apply the changes to a transform: weaken it, protect hues, then adjust it.

        Raises:
            InputError: the transform is spatially varying, and a change requires a LUT.
        """
        return turned(protected(weakened(transform, self.strength), self.protect), self.turn)


NO_HAND = Hand()


@dataclass(frozen=True)
class Hands:
    """Manual changes to a grade, where some shots have their own."""

    others: Hand
    """Changes to all other shots."""

    own: Mapping[int, Hand]
    """Changes to shots, counted from 1."""

    @classmethod
    def parse(cls, texts: Sequence[str], controls: Mapping[str, Any]) -> Self:
        """Parse changes to single shots, such as "2:exposure=0.3,tint=-4" or "2-4:tone=0.5".

        Args:
            texts: shots, counted from 1, and the controls to replace there; "tone" and "colour" are parts of the
                strength.
            controls: arguments of `Hand.of` for all shots.

        Raises:
            InputError: a text cannot be parsed, a shot is named twice, or a value is invalid; names it.
        """
        own: dict[int, Hand] = {}
        for text in texts:
            read = _BY_SHOT.fullmatch(text.strip())
            first, last = (int(read[1]), int(read[2] or read[1])) if read else (0, 0)
            if read is None or not 1 <= first <= last:
                raise InputError(f"by shot {shown(text)}: write shots and changes, such as 2:exposure=0.3,tint=-4")
            if twice := own.keys() & set(range(first, last + 1)):
                raise InputError(f"by shot {shown(text)}: shot {min(twice)} has its changes already")
            try:
                own |= dict.fromkeys(range(first, last + 1), Hand.of(**_replaced(controls, read[3])))
            except InputError as error:
                raise InputError(f"by shot {shown(text)}: {error}") from None
        return cls(Hand.of(**controls), own)

    def of_shot(self, number: int) -> Hand:
        """Return the changes to a shot, counted from 1."""
        return self.own.get(number, self.others)

    def check(self, num_shots: int) -> None:
        """Check that all shots exist.

        Raises:
            InputError: the clip has fewer shots.
        """
        last = max(self.own, default=0)
        if last > num_shots:
            raise InputError(
                f"by shot: there is no shot {last}, the clip has {counted(num_shots, 'shot')}; shots are counted from "
                "1, and --cuts (cuts) says where they begin"
            )


# The number of digits is limited because every shot of a range becomes an entry.
_BY_SHOT = re.compile(r"([1-9]\d{0,6})(?:-([1-9]\d{0,6}))?\s*:(.*)", re.ASCII)
_NUMBERS = ("exposure", "temperature", "tint", "contrast", "saturation", "black", "strength", "tone", "colour")
_BY_SHOT_NAMES = (*_NUMBERS, "protect")


def _replaced(controls: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return arguments of `Hand.of` with those of a text in place of the given ones.

    Raises:
        InputError: the text cannot be parsed; says what it should be.
    """
    changed = dict(controls)
    strength = as_strength(changed.get("strength", FULL))
    for part in text.split(","):
        name, is_given, value = (each.strip() for each in part.partition("="))
        name = {"color": "colour"}.get(name, name)
        if name not in _BY_SHOT_NAMES or not is_given:
            raise InputError(f"{shown(part)} is not a change; {one_of(name, _BY_SHOT_NAMES)}, as in exposure=0.3")
        if name in ("tone", "colour"):
            strength = replace(strength, **{name: _number(name, value)})
        elif name == "strength":
            strength = as_strength(_number(name, value))
        elif name == "protect" or (name == "temperature" and value.upper().endswith("K")):
            changed[name] = value
        else:
            changed[name] = _number(name, value)
    return changed | {"strength": strength}


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name} is {shown(text)}; give a number") from None


def weakened(transform: ColorTransform, strength: Strength) -> ColorTransform:
    """Weaken a transform. This is linear in its parameters, so it commutes with averaging."""
    if strength.tone == strength.colour or isinstance(transform, Identity):
        return blend(transform, strength.tone)
    unit = transform.identity().parameters
    change = transform.parameters - unit
    luma = np.tensordot(np.array(LUMA, np.float32), change, axes=(0, 1))[:, None]
    # The luma change is added equally to red, green and blue, so the rest has no luma. The two parts add up to the
    # whole change and can be weakened independently.
    kept = np.float32(strength.tone) * luma + np.float32(strength.colour) * (change - luma)
    return transform.with_parameters((unit + kept).astype(np.float32))


def protected(transform: ColorTransform, hues: HueRange | None) -> ColorTransform:
    """Reduce a transform's colour change in a range of hues; its luma change stays.

    Args:
        transform: for one picture.
        hues: range of input hues; None: none are protected.

    Returns:
        A LUT if there is anything to protect.

    Raises:
        InputError: the transform is spatially varying.
    """
    if hues is None or isinstance(transform, Identity):
        return transform
    lut = _bent(transform, "hues cannot be protected")
    before = lattice(lut.size)
    change = lut.parameters[0] - before
    luma = np.tensordot(np.array(LUMA, np.float32), change, axes=(0, 0))
    # Hues are those of the nodes before the grade: it is the picture's skin that is protected, not what the grade turns
    # into skin.
    kept = 1 - np.float32(_PROTECTION) * hues.share(before.reshape(3, -1).T).reshape(before.shape[1:])
    return lut.with_parameters((before + luma + kept * (change - luma))[None].astype(np.float32))


def _bent(transform: ColorTransform, what: str) -> Lut3d:
    if not transform.is_global:
        raise InputError(
            f"the grade varies over the picture, so {what} by hand; omit that option, or choose another method"
        )
    return transform.to_lut(max(BENT_LUT_SIZE, transform.size if isinstance(transform, Lut3d) else 0))


def turned(transform: ColorTransform, turn: Parametric) -> ColorTransform:
    """Return a transform followed by a manual adjustment.

    Args:
        transform: for one picture.
        turn: adjustment of the transform's result.

    Returns:
        A transform of the same kind, except that contrast always gives a LUT.

    Raises:
        InputError: the transform is spatially varying, and contrast is adjusted.
    """
    if turn.is_neutral:
        return transform
    # Without contrast an adjustment is affine, so affine grades stay affine: cheap, exact and spatially
    # varying.
    affine = turn.affine
    if affine is None:
        lut = _bent(transform, "its contrast cannot be turned")
        return lut.with_parameters(_mapped(lut.parameters, turn))
    if isinstance(transform, Lut3d):
        return transform.with_parameters(_mapped(transform.parameters, turn))
    matrix, offset = affine
    if isinstance(transform, Identity):
        return AffineField.from_matrix(matrix[None], offset[None])
    parameters = np.einsum("ij,njkhw->nikhw", matrix, transform.parameters)
    # An affine map after an affine map: matrices multiply, and the second offset is added.
    parameters[:, :, 3] += offset[None, :, None, None]
    return transform.with_parameters(parameters.astype(np.float32))


def _mapped(nodes: FloatArray, turn: Parametric) -> FloatArray:
    """Apply an adjustment to the colours of a LUT's nodes. Shape (1, 3, D, D, D)."""
    colors = nodes.reshape(3, -1).T
    return np.ascontiguousarray(turn(colors).T).reshape(nodes.shape)
