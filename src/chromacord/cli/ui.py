"""`chromacord ui`: a page in the browser to see, change and render a clip."""

from pathlib import Path
from typing import Any

from chromacord.cli.arguments import ui_options as given
from chromacord.cli.batch.clips import refuse_empty
from chromacord.cli.screen.choice import choose_display
from chromacord.cli.screen.exits import job
from chromacord.cli.screen.streams import report

LOOPBACK = "127.0.0.1"


def ui(
    clip: given.Clip = None,
    *,
    mask: given.Mask = None,
    foreground: given.Foreground = None,
    alpha: given.Matte = None,
    background: given.Background = None,
    folder: given.Folder = None,
    port: given.Port = 8760,
    host: given.Host = LOOPBACK,
    token: given.Token = None,
) -> None:
    """Open a page in the browser to view a clip, adjust its grade and render it. Ctrl-C stops it."""
    others = {"mask": mask, "foreground": foreground, "alpha": alpha, "background": background}
    with job(choose_display(quiet=True)):
        from chromacord.ui.server import serve

        refuse_empty([("CLIP", clip), *((f"--{name}", path) for name, path in others.items())])
        session = _session(clip, {name: path for name, path in others.items() if path is not None})
        paths = () if session is None else [path for path in session.clip.values() if not _is_word(path)]
        serve(
            folders=folder or [*map(_folder_of, paths), Path.cwd()],
            session=session,
            host=host,
            port=port,
            token=token,
            ready=lambda address: report(f"open {address} in a browser; Ctrl-C stops the server"),
        )


def _session(composite: str | None, others: dict[str, str]) -> Any:
    """Return the session to open first; None if no file was given."""
    from chromacord.ui.session import Session, is_session, read_session

    if composite is not None and not others and is_session(composite):
        return read_session(Path(composite))
    clip = others if composite is None else {"composite": composite, **others}
    whole = {name: path if _is_word(path) else str(Path(path).absolute()) for name, path in clip.items()}
    return Session(whole) if whole else None


def _is_word(path: str) -> bool:
    from chromacord.types import ALPHA_WORDS

    return path in ("alpha", *ALPHA_WORDS)


def _folder_of(path: str) -> Path:
    whole = Path(path).absolute()
    return whole if whole.is_dir() else whole.parent
