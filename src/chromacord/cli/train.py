"""`chromacord train`: run a recipe, or go on with a run that was stopped."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from chromacord.cli import options
from chromacord.cli.display import choose_display
from chromacord.cli.job import job


def train(
    recipe: Annotated[Path, Argument(help="TOML file, see recipes/.")],
    *,
    data: Annotated[Path, Option(help="Folder of the training data, with its manifest.csv.")],
    output: Annotated[Path, Option("--output", "-o", help="Folder of the run; a run that was stopped goes on there.")],
    device: Annotated[
        Literal["cpu", "cuda"], Option(help="cuda: one GPU, or several under `accelerate launch`.")
    ] = "cpu",
    log_json: options.LogJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Train what a recipe says. Run again with the same -o to go on where a run was stopped: the result is the same."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped="run the command again to go on from the last checkpoint"):
        from chromacord.pipeline.prefetch import single_threaded
        from chromacord.training.loop import train as run
        from chromacord.training.recipe import read_recipe

        with single_threaded():
            trained = run(read_recipe(recipe), data, output, device=device, progress=display.progress)
        if trained is None:  # one of several processes, and not the one that speaks
            return
        figures = ", ".join(f"{name} {value:.4g}" for name, value in trained.validation.items())
        display.summary(
            f"{trained.weights}: {trained.steps} steps, {trained.samples} samples; validation: {figures or 'none'}",
            {
                "weights": str(trained.weights),
                "sha256": trained.sha256,
                "steps": trained.steps,
                "samples": trained.samples,
                "validation": dict(trained.validation),
                "data": dict(trained.data),
            },
        )
