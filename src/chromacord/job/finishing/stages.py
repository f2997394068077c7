"""Build the requested finishing stages for a clip."""

from chromacord.job.options import Options
from chromacord.render.finish.stage import Finish, Stage
from chromacord.render.finish.wrap import LightWrap, parse_wrap
from chromacord.types import VideoInfo


def finish_of(info: VideoInfo, options: Options) -> Finish:
    """Return the changes to a clip's frames after the grade.

    Args:
        info: properties of the composite.
        options: the requested stages.
    """
    stages: list[Stage] = []
    if options.wrap is not None:
        stages.append(LightWrap(info, *parse_wrap(options.wrap)))
    return Finish(info, stages)
