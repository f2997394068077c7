"""`chromacord ui`: a page in the browser to see, change and render a clip."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from chromacord.cli.batch.clips import refuse_empty
from chromacord.cli.help import INPUT, OPTIONS
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.cli.screen.streams import report

LOOPBACK = "127.0.0.1"


def ui(
    composite: Annotated[
        str | None,
        Argument(
            metavar="[CLIP]",
            help="Composite, or a session that the page saved, to open first.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    *,
    mask: Annotated[str | None, Option(metavar="FILE", help="Its mask.", rich_help_panel=INPUT)] = None,
    foreground: Annotated[
        str | None, Option(metavar="FILE", help="Foreground layer, instead of a composite.", rich_help_panel=INPUT)
    ] = None,
    alpha: Annotated[str | None, Option(metavar="FILE", help="The foreground's matte.", rich_help_panel=INPUT)] = None,
    background: Annotated[
        str | None, Option(metavar="FILE", help="Clip under the foreground.", rich_help_panel=INPUT)
    ] = None,
    folder: Annotated[
        list[Path] | None,
        Option(
            metavar="FOLDER",
            help="Folder that the page may read and write, with all inside it; repeatable. Without it: this folder, "
            "and those of the files given.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    port: Annotated[
        int, Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.", rich_help_panel=OPTIONS)
    ] = 8760,
    host: Annotated[
        str,
        Option(
            metavar="ADDRESS",
            help="Address to listen on. Any but this machine's own needs a token, which the printed address holds.",
            rich_help_panel=OPTIONS,
        ),
    ] = LOOPBACK,
    token: Annotated[
        str | None,
        Option(envvar="CHROMACORD_UI_TOKEN", help="The token; a new one if not given.", rich_help_panel=OPTIONS),
    ] = None,
) -> None:
    """Open a page in the browser to see a clip, change its grade by hand, and render it. Ctrl-C ends it."""
    given = {"mask": mask, "foreground": foreground, "alpha": alpha, "background": background}
    with job(choose_display(quiet=True)):
        from chromacord.ui.server import serve

        refuse_empty([("CLIP", composite), *((f"--{name}", path) for name, path in given.items())])
        session = _session(composite, {name: path for name, path in given.items() if path is not None})
        paths = () if session is None else session.clip.values()
        own = [Path.cwd(), *dict.fromkeys(_folder_of(path) for path in paths if path not in ("alpha", "auto"))]
        serve(
            folders=folder or own,
            session=session,
            host=host,
            port=port,
            token=token,
            ready=lambda address: report(f"open {address} in a browser; Ctrl-C ends the server"),
        )


def _session(composite: str | None, given: dict[str, str]) -> Any:
    """Return the session to open first; None if no file was given."""
    from chromacord.ui.session import Session, is_session, read_session

    if composite is not None and not given and is_session(composite):
        return read_session(Path(composite))
    clip = given if composite is None else {"composite": composite, **given}
    whole = {name: path if path in ("alpha", "auto") else str(Path(path).absolute()) for name, path in clip.items()}
    return Session(whole) if whole else None


def _folder_of(path: str) -> Path:
    whole = Path(path).absolute()
    return whole if whole.is_dir() else whole.parent
