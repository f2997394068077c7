"""`chromacord matte`: make a mask for a clip."""

from chromacord.cli.arguments import matte_options as given
from chromacord.cli.arguments.output_options import Force, LogJson, Quiet
from chromacord.cli.batch.clips import refuse_empty
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.errors import counted, one_line


def matte(
    clip: given.Clip,
    *,
    output: given.Output,
    key: given.Key = None,
    plate: given.Plate = None,
    box: given.Box = None,
    click: given.Clicks = None,
    click_out: given.ClicksOut = None,
    model: given.Model = None,
    model_config: given.ModelConfig = None,
    from_alpha: given.FromAlpha = False,
    levels: given.Levels = None,
    within: given.Within = None,
    without: given.Without = None,
    force: Force = False,
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a mask for a clip that has none: by a screen's colour, clean plate, box, clicks, model or alpha."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display):
        from chromacord.job.threads import single_threaded
        from chromacord.matte.making import make_matte
        from chromacord.matte.ways import MatteOptions

        inputs = {"--plate": plate, "--model": model, "--model-config": model_config}
        limits = {"--within": within, "--without": without}
        refuse_empty({"CLIP": clip, "--output": output, **inputs, **limits}.items())
        options = MatteOptions(
            key=key,
            plate=plate,
            box=box,
            clicks=tuple(click or ()),
            clicks_out=tuple(click_out or ()),
            model=model,
            model_config=model_config,
            from_alpha=from_alpha,
            clip=levels,
            within=within,
            without=without,
        )
        with single_threaded():
            summary = make_matte(clip, output, options, force=force, progress=display.progress)
        rate = summary.num_frames / max(summary.seconds, 1e-9)
        line = (
            f"{summary.output}: {counted(summary.num_frames, 'frame')}, {summary.way}, covers {summary.coverage:.1%}, "
            f"{summary.seconds:.1f} s ({rate:.1f} frames a second)"
        )
        if summary.confidence is not None:
            line += f", confidence {summary.confidence:.2f}"
        display.summary(one_line(line), summary._asdict())
