"""Build the requested finishing stages for a clip."""

from chromacord.grade.keys import Grade
from chromacord.job.finishing.matching import MatchedGrain, Measuring
from chromacord.job.options import Options
from chromacord.render.finish.grain import Grain
from chromacord.render.finish.stage import Finish, Stage
from chromacord.render.finish.wrap import LightWrap, parse_wrap
from chromacord.types import VideoInfo


def measuring_for(info: VideoInfo, options: Options) -> Measuring | None:
    """Return the measurement that a clip's stages need; None if they need none.

    Args:
        info: properties of the composite.
        options: the requested stages.
    """
    return Measuring(info) if options.match_grain else None


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
    if options.wrap is not None:
        stages.append(LightWrap(info, *parse_wrap(options.wrap)))
    if options.match_grain and measuring is not None and grade is not None:
        stages.append(Grain(info, MatchedGrain(measuring, grade, info)))
    return Finish(info, stages)
