"""`chromacord train`: run or resume a recipe, or all recipes of one of the paper's tables."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from chromacord.cli.arguments import engine_options, output_options
from chromacord.cli.research import engines
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.display import Display
from chromacord.cli.screen.exits import job
from chromacord.errors import InputError, counted, one_line

if TYPE_CHECKING:
    from chromacord.lab.training.paper_tables import TableRun

Device = Literal["cpu", "cuda"]
Budget = Literal["full", "small"]


def train(
    recipe: Annotated[
        Path | None, Argument(help="TOML file, see recipes/; with --table a folder of them.", show_default=False)
    ] = None,
    *,
    data: Annotated[Path, Option(help="Folder of the training data, with its manifest.csv; or HYouTube, iHarmony4.")],
    output: Annotated[Path, Option("--output", "-o", help="Folder of the run; a stopped run continues there.")],
    start: Annotated[
        Path | None, Option(help="Weights to start from: of the whole network, or of its first stage.")
    ] = None,
    table: Annotated[
        int | None, Option(help="Train and measure all rows of the paper's table 1, 2, 3 or 4, and print it.")
    ] = None,
    budget: Annotated[
        Budget,
        Option(help="With --table: the published settings, or narrow networks and few steps.", case_sensitive=False),
    ] = "full",
    test: Annotated[
        Path | None, Option(help="With --table: test data set; default: that of the training data.")
    ] = None,
    split: Annotated[str, Option(help="With --table: split of the test data set.")] = "test",
    next_frames: Annotated[Path | None, Option(help="With --table: HYouTube's set for TL.")] = None,
    jobs: Annotated[int, Option(min=0, help="With --table: number of processes; 0: one per core.")] = 1,
    engine: engine_options.TableEngine = "local",
    address: engine_options.Address = None,
    retries: engine_options.Retries = 3,
    device: Annotated[Device, Option(help="cuda: one GPU, or several under `accelerate launch`.")] = "cpu",
    log_json: output_options.LogJson = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Train a recipe. The same -o continues a stopped run, with the same result."""
    display = choose_display(log_json=log_json, quiet=quiet)
    with job(display, stopped="run the command again to continue from the last checkpoint"):
        from chromacord.job.threads import single_threaded

        for_table = {"--budget": budget != "full", "--test": test, "--split": split != "test"}
        for_table |= {"--next-frames": next_frames, "--jobs": jobs != 1, "--engine": engine != "local"}
        with single_threaded():
            if table is not None:
                from chromacord.lab.training.loop import is_launched
                from chromacord.lab.training.paper_tables import TableRun

                if engine == "ray" and is_launched():
                    raise InputError("--engine ray starts its own processes; run it without `accelerate launch`")
                if start is not None:
                    raise InputError("--start is for one recipe: rows of a table start from each other; omit it")
                run = TableRun(table, data, output, recipe, budget, test, split, device, next_frames)
                _train_table(run, engines.Chosen(engine, jobs, address, retries), display)
            elif stray := [option for option, value in for_table.items() if value]:
                raise InputError(f"{stray[0]} is for the figures of a table; add --table, or omit it")
            elif recipe is None:
                raise InputError("the recipe is missing; give a TOML file, such as those in recipes/, or --table")
            else:
                _train_recipe(recipe, data, output, start, device, display)
        from chromacord.lab.training.loop import end_processes

        end_processes()


def _train_recipe(recipe: Path, data: Path, output: Path, start: Path | None, device: Device, display: Display) -> None:
    from chromacord.lab.training.loop import train as run
    from chromacord.lab.training.recipe import read_recipe

    read = read_recipe(recipe)
    if start is not None:
        read = replace(read, start=str(start))
    trained = run(read, data, output, device=device, progress=display.progress)
    if trained is None:  # one of several processes, but not the main one
        return
    figures = ", ".join(f"{name} {value:.4g}" for name, value in trained.validation.items())
    display.summary(
        one_line(
            f"{trained.weights}: {counted(trained.steps, 'step')}, {counted(trained.samples, 'sample')}; "
            f"validation: {figures or 'none'}"
        ),
        {
            "weights": str(trained.weights),
            "sha256": trained.sha256,
            "steps": trained.steps,
            "samples": trained.samples,
            "validation": dict(trained.validation),
            "data": dict(trained.data),
        },
    )


def _train_table(run: "TableRun", chosen: engines.Chosen, display: Display) -> None:
    from chromacord.lab.training.paper_tables import train_table

    with engines.opened(chosen) as where:
        text = train_table(replace(run, engine=where), progress=display.progress)
    if text is not None:
        display.summary(text.rstrip(), {"table": run.number, "output": str(run.output), "markdown": text})
