"""`python -m benchmarks`: measurements of chromacord itself, as JSON with the command, the commit and the machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from chromacord.cli import main
from chromacord.cli.help import WIDTH, Group, GroupedCommand
from chromacord.cli.research import bench_report
from chromacord.cli.research.bench_report import Output, measurement, tell

PROGRAM = "python -m benchmarks"

Size = Annotated[Literal["1080p", "4k"], Option(help="Size of the synthetic clips.")]
Preset = Annotated[str, Option(help="Of x264.")]
Foreground = Annotated[float, Option(help="Share of the frame that the mask covers, up to 0.5.")]
Repeats = Annotated[int, Option(help="Number of repeats.")]
Method = Annotated[str | None, Option(help="Method to measure; see `chromacord methods`.")]

app = typer.Typer(
    help="Measure chromacord itself, and print JSON with the command, the commit and the machine.",
    no_args_is_help=True,
    cls=Group,
    context_settings=WIDTH,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def give(measured: Mapping[str, object], output: Path | None) -> None:
    """Print a report as JSON, and write it to a file if one is given."""
    bench_report.give(measured, output, program=PROGRAM)


@app.command(cls=GroupedCommand, name="video")
def video(
    *,
    size: Size = "1080p",
    preset: Preset = "ultrafast",
    foreground: Foreground = 0.25,
    frames: Annotated[int, Option(help="Length of the clips.")] = 150,
    repeats: Repeats = 3,
    method: Method = None,
    output: Output = None,
) -> None:
    """Measure harmonization against a plain transcode: CPU time of each stage, overhead and peak memory."""
    with measurement(output):
        from benchmarks.speed import Setting, measure_video
        from chromacord.methods import DEFAULT_METHOD

        setting = Setting(size, preset, foreground, frames, method or DEFAULT_METHOD, repeats=repeats)
        give(measure_video(setting, tell=tell), output)


@app.command(cls=GroupedCommand, name="speed")
def speed(
    *,
    repeats: Repeats = 3,
    check: Annotated[
        Path | None,
        Option(
            help="Instead: fail if this code costs more than that of the commit which the first row of a file names."
        ),
    ] = None,
    output: Output = None,
) -> None:
    """Measure the default method like `video`, at 1080p with two presets, and at 4K."""
    with measurement(output):
        from benchmarks.speed_table import check_speed, measure_rows
        from chromacord.methods import DEFAULT_METHOD

        if check is not None:
            tell(check_speed(check, repeats=repeats, tell=tell))
            return
        give(measure_rows(DEFAULT_METHOD, repeats=repeats, tell=tell), output)


@app.command()
def batch(
    *,
    size: Size = "1080p",
    preset: Preset = "veryfast",
    frames: Annotated[int, Option(help="Length of each clip.")] = 150,
    repeats: Repeats = 3,
    method: Method = None,
    output: Output = None,
) -> None:
    """Measure two clips in two processes on two cores against one clip on one core: wall time of whole commands."""
    with measurement(output):
        from benchmarks.batch_speed import BatchSetting, batch_line, measure_batch
        from chromacord.methods import DEFAULT_METHOD

        setting = BatchSetting(size, preset, frames, method or DEFAULT_METHOD, repeats=repeats)
        report = measure_batch(setting, tell=tell)
        tell(batch_line(report))
        give(report, output)


@app.command()
def soak(
    *,
    frames: Annotated[int, Option(help="Length of the long clip, of 320x180 pixels.")] = 10_000,
    clips: Annotated[int, Option(help="Number of short clips.")] = 50,
    method: Method = None,
    output: Output = None,
) -> None:
    """Harmonize a very long clip and many short ones, and fail if memory, open files or threads grow."""
    with measurement(output):
        from benchmarks.soak import LeakError, SoakSetting, measure_soak
        from chromacord.methods import DEFAULT_METHOD

        report = measure_soak(SoakSetting(frames, clips, method or DEFAULT_METHOD), tell=tell)
        give(report, output)
        leaks = report["leaks"]
        assert isinstance(leaks, list)
        if leaks:
            raise LeakError(f"{'; '.join(leaks)}: look for unclosed resources or data kept per frame")


@app.command(cls=GroupedCommand)
def finish(
    *, repeats: Annotated[int, Option(help="How often each stage is timed.")] = 10, output: Output = None
) -> None:
    """Measure the stages of finishing: edges and grain against known truth, and CPU time at 1080p."""
    with measurement(output):
        from benchmarks.finish import measure_finish

        give(measure_finish(repeats), output)


@app.command(cls=GroupedCommand, name="mattes")
def mattes(
    folders: Annotated[list[Path], Argument(help="Clips: folders with images/ and masks/.")],
    *,
    frames: Annotated[int, Option(help="Frames of each clip that count.")] = 12,
    output: Output = None,
) -> None:
    """Measure mattes of boxes and clicks against known masks."""
    with measurement(output):
        from benchmarks.mattes import measure_mattes

        give(measure_mattes(folders, frames), output)


@app.command(cls=GroupedCommand, name="held-out")
def held_out(
    data: Annotated[Path, Argument(help="Folder of the training data, with a manifest.csv.")],
    *,
    weights: Annotated[list[str], Option(help="Weights of ShotGrade: a name or a .safetensors file; may be repeated.")],
    count: Annotated[int, Option(help="Number of composites of each kind.")] = 192,
    seed: Annotated[int, Option(help="Of the draw.")] = 0,
    calibrate: Annotated[
        Path | None,
        Option(help="Write the first weights to this file, with their confidence fitted to these composites."),
    ] = None,
    output: Output = None,
) -> None:
    """Measure weights on composites of pictures and LUTs that the free weights were not trained on."""
    with measurement(output):
        from benchmarks.held_out import Setting, held_out_line, measure_held_out

        report = measure_held_out(Setting(data, count, seed), weights, calibrate=calibrate)
        tell(held_out_line(report))
        give(report, output)


@app.command(cls=GroupedCommand)
def ui(
    *,
    frames: Annotated[int, Option(help="Length of the 1080p clip.")] = 250,
    frames_4k: Annotated[int, Option("--frames-4k", help="Length of the 4K clip.")] = 50,
    repeats: Annotated[int, Option(help="Number of frames to scrub to, and of movements of the slider.")] = 40,
    output: Output = None,
) -> None:
    """Measure the page in chromium: first picture, scrubbing, sliders, and the server's memory with a 4K clip."""
    with measurement(output):
        from benchmarks.ui_speed import UiSetting, measure_ui, ui_line

        report = measure_ui(UiSetting(frames, frames_4k, repeats), tell=tell)
        tell(ui_line(report))
        give(report, output)


@app.command(cls=GroupedCommand)
def paper(
    *, picture: Annotated[Path, Option(help="Picture to write.")] = Path("docs/paper.jpg"), output: Output = None
) -> None:
    """Draw chen2024's non-local weights and the aggregator's attention on the sample, and measure them."""
    with measurement(output):
        from benchmarks.paper_figures import draw_figures

        give(draw_figures(picture), output)


@app.command()
def pictures(
    folder: Annotated[Path, Argument(help="Folder of the pictures.")] = Path("docs"), *, output: Output = None
) -> None:
    """Draw the documentation's pictures of the sample: before and after, each control, and in other programs."""
    with measurement(output):
        from benchmarks.pictures import draw_pictures

        give(draw_pictures(folder), output)


@app.command(name="ui-pictures")
def ui_pictures(folder: Annotated[Path, Argument(help="Folder of the pictures.")] = Path("docs")) -> None:
    """Draw the documentation's pictures of the page in the browser, which needs chromium."""
    with measurement(None):
        from benchmarks.ui_pictures import draw_ui_pictures

        draw_ui_pictures(folder)


@app.command()
def cluster(*, repeats: Repeats = 3, output: Output = None) -> None:
    """Measure a Ray cluster of 1, 2 and 4 nodes on this machine against one process: CPU and wall time."""
    with measurement(output):
        from benchmarks.cluster_speed import measure

        give(measure(repeats=repeats), output)


@app.command(name="cluster-kills")
def cluster_kills(
    *, kills: Annotated[int, Option(help="Number of nodes to kill.")] = 20, seed: int = 0, output: Output = None
) -> None:
    """Kill nodes of a Ray cluster at random while clips are harmonized, and compare with one machine."""
    with measurement(output):
        from benchmarks.cluster_kills import survive

        give(survive(kills, seed=seed), output)


if __name__ == "__main__":
    main(app=app, name=PROGRAM)
