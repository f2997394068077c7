"""Build the requested finishing stages for a clip."""

from functools import partial

from chromacord.errors import InputError
from chromacord.grade.keys import Grade
from chromacord.io import LayeredSource
from chromacord.job.finishing.matching import MatchedGrain, MatchedSharpness
from chromacord.job.finishing.measurement import Measuring
from chromacord.job.options import Options
from chromacord.masks.edge import Edge
from chromacord.render.finish.denoise import Denoise
from chromacord.render.finish.grain import Grain
from chromacord.render.finish.layer import CleanLayer
from chromacord.render.finish.shadow import ContactShadow, parse_shadow
from chromacord.render.finish.softness import Sharpening, Softness
from chromacord.render.finish.stage import Finish, Stage
from chromacord.render.finish.wrap import LightWrap, parse_wrap
from chromacord.types import Alpha, VideoInfo


def check_layers(options: Options) -> None:
    """Refuse stages that need a separate foreground layer.

    Raises:
        InputError: one is requested.
    """
    asked = {
        "decontaminate": options.decontaminate,
        "despill": options.despill is not None,
        "contact shadow": options.contact_shadow is not None,
    }
    for option in (name for name, is_asked in asked.items() if is_asked):
        raise InputError(f"{option} needs layers: give --foreground and --background, or leave it out")


def composite_stages(options: Options) -> list[str]:
    """Return the options of requested stages that change the composite, but not the foreground alone."""
    asked = {
        "--contact-shadow": options.contact_shadow is not None,
        "--match-sharpness": options.match_sharpness,
        "--wrap": options.wrap is not None,
        "--match-grain": options.match_grain,
    }
    return [name for name, is_asked in asked.items() if is_asked]


def with_changes(layers: LayeredSource, options: Options) -> LayeredSource:
    """Set up the requested changes to layers before compositing, and return the layers.

    Raises:
        InputError: a shadow is invalid, an option needs a composite, or the foreground is premultiplied, so that no
            background is left in its colours.
    """
    if options.fit_edge is not None:
        raise InputError(
            "fit edge needs a composite with a mask: a layer's edge is its own; leave it out, or use decontaminate"
        )
    if options.edge is not None:
        layers.adjust = partial(Edge.parse(options.edge).change, black=0)
    if options.decontaminate or options.despill is not None:
        info, white = layers.foreground_info, layers.mask_info.pixel_format.max_code
        if info.pixel_format.alpha is Alpha.PREMULTIPLIED:
            raise InputError(
                f"{info.path}: its colours are multiplied by alpha, so they hold no background to take out; leave out "
                "decontaminate and despill, or give the footage with a matte"
            )
        layers.clean = CleanLayer(info, white, decontaminate=options.decontaminate, despill=options.despill)
    if options.contact_shadow is not None:
        white = layers.mask_info.pixel_format.max_code
        layers.shade = ContactShadow(layers.info, white, *parse_shadow(options.contact_shadow))
    return layers


def measuring_for(info: VideoInfo, options: Options) -> Measuring | None:
    """Return the measurement that a clip's stages need; None if they need none.

    Args:
        info: properties of the composite.
        options: the requested stages.

    Raises:
        InputError: sharpening is requested without the measurement that it needs.
    """
    if options.sharpen and not options.match_sharpness:
        raise InputError("sharpen needs match_sharpness, which measures by how much: give both, or leave it out")
    if not options.match_grain and not options.match_sharpness:
        return None
    return Measuring(info, grain=options.match_grain, sharpness=options.match_sharpness)


def finish_of(
    info: VideoInfo, options: Options, grade: Grade | None = None, measuring: Measuring | None = None
) -> Finish:
    """Return the changes to a clip's frames after the grade, in the order of a lens and a sensor.

    Args:
        info: properties of the composite.
        options: the requested stages.
        grade: grade of the whole clip, if a stage needs it.
        measuring: measurement of the whole clip, if a stage needs it.
    """
    stages: list[Stage] = []
    sharpness = grain = None
    if measuring is not None and grade is not None:
        if options.match_sharpness:
            sharpness = MatchedSharpness(measuring, grade, info, sharpen=options.sharpen)
        grain = MatchedGrain(measuring, grade, info, sharpness=sharpness) if options.match_grain else None
    if grain is not None:
        stages.append(Denoise(info, grain.excess))
    if sharpness is not None:
        stages.append(Softness(info, sharpness))
        if options.sharpen:
            stages.append(Sharpening(info, sharpness.too_soft))
    if options.wrap is not None:
        stages.append(LightWrap(info, *parse_wrap(options.wrap)))
    if grain is not None:
        stages.append(Grain(info, grain))
    return Finish(info, stages)
