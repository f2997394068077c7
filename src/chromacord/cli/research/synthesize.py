"""`chromacord synthesize`: make a data set in HYouTube's layout from clips with masks."""

from pathlib import Path
from typing import Annotated

from typer import Option

from chromacord.cli.arguments.engine_options import Address, Retries, TaskEngine
from chromacord.cli.arguments.output_options import LogJson, Quiet
from chromacord.cli.research import engines
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.errors import counted, one_line

_DRAWN = "random"


def synthesize(
    *,
    clips: Annotated[Path, Option(help="Folder of clips (images/ and masks/ each), HYouTube or iHarmony4.")],
    luts: Annotated[str, Option(help="Folder or .zip of .cube files; 'random' for random looks.")],
    output: Annotated[Path, Option("--output", "-o", help="Folder of the data set; a stopped run continues there.")],
    per_clip: Annotated[int, Option(min=1, help="Number of composites of each clip, each with a different LUT.")] = 1,
    seed: Annotated[int, Option(help="Equal seeds give equal data sets.")] = 0,
    enhance: Annotated[
        bool | None,
        Option(
            "--enhance/--no-enhance",
            help="Enhance each LUT as HYouTube's were; the default for LUT files, not for random looks.",
        ),
    ] = None,
    drift: Annotated[bool, Option("--drift", help="Let the change drift slowly over time.")] = False,
    frames: Annotated[int, Option(min=1, help="Frames of each clip, from its start.")] = 20,
    spacing: Annotated[int, Option(min=1, help="Take every n-th frame.")] = 1,
    split: Annotated[str, Option(help="Name of the lists, and split of the data set that is read.")] = "test",
    use: Annotated[str | None, Option(help="Only clips of this use in the folder's manifest.csv.")] = None,
    jobs: Annotated[int, Option(min=0, help="Number of processes; 0: one per core.")] = 0,
    engine: TaskEngine = "local",
    address: Address = None,
    retries: Retries = 3,
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Make composites with known ground truth from real clips with masks, by HYouTube's method."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped="run the command again to continue"):
        from chromacord.lab.composites.synthesis import Recipe
        from chromacord.lab.composites.synthesis_job import synthesize as run
        from chromacord.lab.data import open_dataset
        from chromacord.lab.data.luts import read_luts

        dataset = open_dataset(clips, split=split, size=None, use=use)
        tables = None if luts == _DRAWN else read_luts(Path(luts))
        enhanced = tables is not None if enhance is None else enhance
        recipe = Recipe(per_clip, seed, enhanced, drift, frames, spacing)
        with engines.opened(engines.Chosen(engine, jobs, address, retries)) as where:
            summary = run(dataset, tables, output, recipe=recipe, split=split, engine=where, progress=display.progress)
        kept = f", {summary.num_kept} of them from a run before" if summary.num_kept else ""
        display.summary(
            one_line(
                f"{summary.folder}: {counted(summary.num_pairs, 'composite clip')}{kept}, "
                f"{counted(summary.num_frames, 'frame')} in {summary.seconds:.1f} s"
            ),
            {
                "folder": summary.folder,
                "pairs": summary.num_pairs,
                "kept": summary.num_kept,
                "frames": summary.num_frames,
                "seconds": round(summary.seconds, 3),
            },
        )
