"""The process of one task: read a request, do the work, and report as JSON lines.

Each task runs in its own process, so that it cannot stop the server, and its memory is freed at the end.
"""

import json
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, NoReturn

from chromacord.api import analyse, render
from chromacord.errors import ChromacordError, ChromacordWarning, InputError
from chromacord.grade.keys import Grade
from chromacord.io.memory import share_freed_memory
from chromacord.io.stills.image_formats import is_image_name
from chromacord.job.options import CONTROLS
from chromacord.job.summary import Summary
from chromacord.job.threads import single_threaded
from chromacord.types import Progress
from chromacord.ui.session import Session

Tell = Callable[[Progress], object]
Work = Callable[[Mapping[str, Any], Tell], dict[str, Any]]

_BUG = 1
_TERMINATED = 143


def serve() -> None:
    """Run the task requested on the first line of standard input; end early if standard input closes."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the server, which ends its tasks
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch_server, daemon=True).start()
    warnings.simplefilter("default", ChromacordWarning)
    warnings.showwarning = _show_warning
    share_freed_memory()
    try:
        with single_threaded():
            _say(done=_WORK[request["kind"]](request, _tell))
    except ChromacordError as error:
        _say(error=str(error))
        sys.exit(2)
    except OSError as error:
        _say(error=f"{error.filename or 'a file'}: {error.strerror}; check the path and its permissions")
        sys.exit(2)
    except Exception as error:
        _say(error=f"this is a bug of chromacord: {type(error).__name__}: {error}", trace=traceback.format_exc())
        sys.exit(_BUG)


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Raise an exception, so that unfinished outputs are removed (a signal handler)."""
    raise SystemExit(_TERMINATED)


def _watch_server() -> None:
    """End this process when the server ends for any reason."""
    # The server writes nothing more, and the pipe closes when it ends, even if it is killed.
    while sys.stdin.readline():
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _say(**message: Any) -> None:
    print(json.dumps(message, default=str), flush=True)


def _tell(progress: Progress) -> None:
    _say(progress=progress._asdict())


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, ChromacordWarning):
        _say(warning=str(message))


def _without_hand(session: Session) -> Session:
    options = {name: value for name, value in session.options.items() if name not in (*CONTROLS, "by_shot")}
    return Session(session.clip, options, session.encoding)


def _analyse(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Decide the grade without manual changes, which the page and the render add."""
    session = _without_hand(Session.from_json(request["session"]))
    if "grade_in" in session.clip:
        raise InputError("the session names a grade to render; there is nothing to analyse")
    grade = analyse(**session.clip, progress=tell, options=session.how)
    Path(request["grade"]).write_bytes(pickle.dumps(grade))
    return {"shots": len(grade.shots)}


def _proxies(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    from chromacord.ui.proxies import ProxyFolder, as_progress
    from chromacord.ui.shown_frames import open_session

    clip = open_session(Session.from_json(request["session"]))
    started = told = time.perf_counter()

    def progress(done: int) -> None:
        nonlocal told
        now = time.perf_counter()
        if now - told > 0.2:
            told = now
            tell(as_progress(done, clip.info.num_frames, now - started))

    return {"frames": ProxyFolder(Path(request["folder"])).make(clip, progress)}


def _render(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Render a grade that was already decided; the result is bit-identical to that of the session's command."""
    session = Session.from_json(request["session"])
    grade: Grade = pickle.loads(Path(request["grade"]).read_bytes())  # the server wrote it
    clip = {name: path for name, path in session.clip.items() if name not in ("reference", "cuts", "grade_in")}
    outputs, how = dict(session.outputs), session.how
    with TemporaryDirectory(prefix="chromacord-ui-") as folder:
        if "preview" in outputs and "output" not in outputs:
            outputs["output"] = str(Path(folder, "unwanted.mkv"))  # a preview needs a rendered clip
            if is_image_name(Path(outputs["preview"]).name):
                how = replace(how, frames=_telling_frame(grade, session))
        has_clip = "output" in outputs
        summary = render(
            grade,
            **(clip if has_clip else {}),
            **outputs,
            progress=tell,
            options=how,
            force=bool(request.get("force")),
        )
    return _described(summary, unwanted=folder)


def _telling_frame(grade: Grade, session: Session) -> tuple[int, int]:
    """Return the range of the one frame with the most evidence for the grade."""
    start, stop = session.how.range
    keys = [key for key in grade.keys if start <= key.index < (stop or grade.num_frames)]
    frame = max(keys, key=lambda key: key.weight).index if keys else start
    return frame, frame + 1


def _described(summary: Summary, *, unwanted: str) -> dict[str, Any]:
    return {
        "outputs": [str(path) for path in summary.outputs if not path.is_relative_to(unwanted)],
        "frames": summary.num_frames,
        "seconds": round(summary.seconds, 2),
    }


def _matte(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    from chromacord.matte.making import make_matte
    from chromacord.matte.ways import MatteOptions

    given = {name: tuple(value) if isinstance(value, list) else value for name, value in request["options"].items()}
    options = MatteOptions(**given)  # type: ignore[arg-type]
    summary = make_matte(request["clip"], request["output"], options, force=bool(request.get("force")), progress=tell)
    said = {"way": summary.way, "coverage": summary.coverage, "confidence": summary.confidence}
    return {"outputs": [str(summary.output)], "frames": summary.num_frames, "seconds": summary.seconds, **said}


_WORK: dict[str, Work] = {"analyse": _analyse, "proxies": _proxies, "render": _render, "matte": _matte}

if __name__ == "__main__":
    serve()
