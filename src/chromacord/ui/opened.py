"""The clips that are open in the page, each with its session, its grade, its proxy and its tasks."""

import pickle
import secrets
import shutil
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from chromacord.errors import ChromacordWarning, InputError
from chromacord.grade.imports import read_any_grade
from chromacord.grade.keys import Grade
from chromacord.job.options import CONTROLS
from chromacord.masks.masks import shown_size
from chromacord.methods import weights_files
from chromacord.types import VideoInfo
from chromacord.ui.packets import exact_packet, small_packet
from chromacord.ui.proxies import ProxyFolder, proxy_size, small_pictures
from chromacord.ui.serving.folders import Folders
from chromacord.ui.session import Session, names_file
from chromacord.ui.shown_frames import FrameReader
from chromacord.ui.tasks import Task, Tasks

_HEAD_START = 3.0
"""Seconds after which the tasks of a clip start if nobody has asked for its state."""

MAX_CLIPS = 16
"""Maximum number of open clips; the oldest one is closed to open another."""

_AFTER_ANALYSIS = {
    *CONTROLS,
    "by_shot",
    "wrap",
    "match_sharpness",
    "sharpen",
    "match_grain",
    "force",
    "foreground_alpha",
}
"""Options that do not change what the method decides."""

_SHOWN = ("edge", "fit_edge", "decontaminate", "despill", "contact_shadow")
"""Options that change the pictures that are graded."""


class Decided(NamedTuple):
    """A clip's grade. Both fields are replaced together, so that a grade never has the version of another."""

    version: int
    """Increases with every change; pages then fetch grades again."""

    grade: Grade | None
    """None until it is decided."""


class OpenClip:
    """One clip."""

    def __init__(self, session: Session, folder: Path, tasks: Tasks) -> None:
        """Open the files; the proxy and the analysis wait for `begin`.

        Raises:
            ChromacordError: a file cannot be read, or they do not form a clip.
        """
        self.id = secrets.token_hex(4)
        self.session = session
        self.decided = Decided(0, None)
        self._folder, self._tasks = folder / self.id, tasks
        self._lock, self._proxy_lock, self._is_closed = threading.Lock(), threading.Lock(), False
        self._deciding_lock = threading.Lock()
        self.frames = FrameReader(session)
        self._folder.mkdir()
        self._pictures = 0
        self._analysis: Task | None = None
        self._is_begun = False
        self._plan_proxy(session)
        # Delay the tasks: they would compete with the first picture. The page asks for the state after it.
        self._timer = threading.Timer(_HEAD_START, self.begin)
        self._timer.daemon = True
        self._timer.start()

    def exact(self, index: int, is_wanted: Callable[[], bool]) -> list[bytes | memoryview]:
        """Return a packet with exact pictures of a frame. See `FrameReader.read`."""
        return exact_packet(self.frames.read(index, is_wanted), self.frames.clip)

    def small(self, index: int, is_wanted: Callable[[], bool]) -> bytes:
        """Return a packet with small pictures of a frame. See `FrameReader.read`."""
        with suppress(FileNotFoundError):
            return self.proxies.file(index).read_bytes()
        masked = self.frames.read(index, is_wanted)
        return small_packet(small_pictures(masked, self.frames.clip, proxy_size(self.frames.info)))

    def begin(self) -> None:
        """Start to analyse and to make the proxy, unless both have been started."""
        if self._is_begun:
            return
        with self._lock:
            if self._is_begun or self._is_closed:
                return
            self._is_begun = True
            self._start_tasks(self.session)

    def _start_tasks(self, session: Session) -> None:
        self._decide(session)
        if self._analysis is None or not self.frames.is_large:
            self._make_proxy()

    def _plan_proxy(self, session: Session) -> None:
        """Prepare the proxy of a session's pictures."""
        self._pictures += 1
        self.proxies = ProxyFolder(self._folder / f"proxy{self._pictures}")
        request = {"session": session.to_json(), "folder": str(self.proxies.path)}
        self._proxy_task = Task("proxies", "proxy", request, self.id)
        self._is_proxy_begun = False

    def _make_proxy(self) -> None:
        with self._proxy_lock:
            if self._is_proxy_begun or self._is_closed:
                return
            self._is_proxy_begun = True
            self._tasks.add(self._proxy_task)

    def change(self, session: Session) -> None:
        """Replace the session by another one of the same files; analyse again if the grade depends on the changes.

        Raises:
            ChromacordError: the session names other files, or its options are invalid for the clip.
        """
        before, names = self.session, ("composite", "mask", "foreground", "alpha", "background")
        if any(session.clip.get(name) != before.clip.get(name) for name in names):
            raise InputError("the session belongs to other files; open it as a new clip")
        with self._lock:
            if any(session.options.get(name) != before.options.get(name) for name in _SHOWN):
                self._replace_pictures(session)
            if self._is_begun and _deciding(session) != _deciding(before):
                self._start_tasks(session)
            # Last, so that nobody sees the new options with the grade of the former ones.
            self.session = session

    def _replace_pictures(self, session: Session) -> None:
        """Read other pictures from now on, and forget the proxy of the former ones."""
        frames = FrameReader(session)
        self.frames.release()
        self.frames = frames
        with self._proxy_lock:
            former, folder = self._proxy_task, self.proxies.path
            self._plan_proxy(session)
        self._tasks.cancel(former)
        shutil.rmtree(folder, ignore_errors=True)

    def _decide(self, session: Session) -> None:
        """Read the grade that a session names, or start an analysis."""
        if self._analysis is not None:
            self._tasks.cancel(self._analysis)
        self._analysis = None
        with self._deciding_lock:
            version = self.decided.version + 1
            self.decided = Decided(version, None)
        given = session.clip.get("grade_in")
        if given is not None:
            self._take(read_any_grade(Path(given)), version)
            return
        file = self._folder / f"grade{version}.pickle"
        request = {"session": session.to_json(), "grade": str(file)}
        task = Task("analyse", f"analyse {self.title}", request, self.id)
        task.on_done = lambda _: self._take(pickle.loads(file.read_bytes()), version)  # our own process wrote it
        task.on_end = self._make_proxy  # of a large clip; both at once would take twice the memory
        self._analysis = self._tasks.add(task)

    def _take(self, grade: Grade, version: int) -> None:
        # A cancelled analysis may still have completed; its grade belongs to earlier options.
        with self._deciding_lock:
            if version == self.decided.version:
                self.decided = Decided(version + 1, grade)

    @property
    def title(self) -> str:
        """Name of the clip."""
        return Path(self.session.clip.get("composite") or self.session.clip["foreground"]).name

    def render(self, outputs: Mapping[str, str], encoding: Mapping[str, Any], *, force: bool, kind: str) -> Task:
        """Queue a render or an export of the grade with the session's manual changes.

        Raises:
            InputError: there is no grade yet, or a value is invalid.
        """
        with self._lock:
            grade = self.decided.grade
            if grade is None:
                raise InputError(f"{self.title}: its grade is not decided yet; wait for the analysis")
            session = Session(self.session.clip, self.session.options, encoding, outputs)
            kept = self._folder / f"render{secrets.token_hex(4)}.pickle"
            kept.write_bytes(pickle.dumps(grade))
            names = ", ".join(Path(path).name for path in outputs.values())
            request = {"session": session.to_json(), "grade": str(kept), "force": force}
        return self._tasks.add(Task("render", f"{kind} {names}", request, self.id, waits=True))

    def to_json(self) -> dict[str, Any]:
        """Return the clip's state for the page."""
        # In this order: a change replaces the grade before the session, and never the other way round.
        session = self.session
        version, grade = self.decided
        return {
            "id": self.id,
            "title": self.title,
            "version": version,
            "pictures": self._pictures,
            "session": session.to_json(),
            "info": _described(self.frames.info),
            "proxy": {"done": self._proxy_task.state == "done", **_state(self._proxy_task)},
            "analysis": _state(self._analysis) if self._analysis else None if self._is_begun else _NOT_BEGUN,
            "shots": None if grade is None else [_shot(each) for each in grade.shots],
            "frames": self.num_frames,
        }

    @property
    def num_frames(self) -> int | None:
        """Number of frames; None while unknown."""
        made = (self._proxy_task.result or {}).get("frames")
        return made if made is not None else self.frames.info.num_frames

    def close(self) -> None:
        """End the analysis and the proxy, and remove all files except results; renders continue."""
        self._is_closed = True
        self._timer.cancel()
        # Renders continue and need the folder of grades, so it stays as long as there are any.
        for task in self._tasks.all(self.id):
            if not task.waits:
                self._tasks.cancel(task)
        self.frames.release()
        if all(task.has_ended for task in self._tasks.all(self.id)):
            shutil.rmtree(self._folder, ignore_errors=True)


def _deciding(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
    options = {name: value for name, value in session.options.items() if name not in _AFTER_ANALYSIS}
    return dict(session.clip), options


def _state(task: Task) -> dict[str, Any]:
    return {"state": task.state, "progress": task.progress, "error": task.error, "warnings": task.warnings}


def _shot(shot: Any) -> dict[str, Any]:
    return {"start": shot.start, "stop": shot.stop, "confidence": shot.confidence, "graded": bool(shot.keys)}


_NOT_BEGUN: dict[str, Any] = {"state": "waiting", "progress": None, "error": None, "warnings": []}


def _described(info: VideoInfo) -> dict[str, Any]:
    height, width = shown_size(info)
    small = proxy_size(info)
    return {
        "name": info.path.name,
        "width": width,
        "height": height,
        "proxy": [small.width, small.height],
        "aspect": float(1 / info.pixel_aspect if info.rotation % 180 else info.pixel_aspect),
        "rate": float(info.rate),
        "codec": info.codec,
        "depth": info.pixel_format.depth,
        "timecode": info.timecode,
        "space": None if info.space is None else info.space.name,
    }


class OpenClips:
    """All clips that are open."""

    def __init__(self, folders: Folders, temporary: Path, tasks: Tasks) -> None:
        """Start without clips.

        Args:
            folders: the folders that files must be in.
            temporary: folder for proxies and grades.
            tasks: starts the tasks.
        """
        self._folders, self._temporary, self._tasks = folders, temporary, tasks
        self._clips: dict[str, OpenClip] = {}
        self._lock = threading.Lock()

    def open(self, session: Session) -> tuple[OpenClip, list[str]]:
        """Open the files of a session; return the clip and the warnings.

        Raises:
            ChromacordError: a file lies outside the folders, cannot be read, or they do not form a clip.
        """
        checked = self.checked(session)
        with self._lock, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ChromacordWarning)
            clip = OpenClip(checked, self._temporary, self._tasks)
            self._clips[clip.id] = clip
            # Dictionaries keep the order of insertion, so the first clip is the oldest.
            while len(self._clips) > MAX_CLIPS:
                self._clips.pop(next(iter(self._clips))).close()
        return clip, [str(each.message) for each in caught if issubclass(each.category, ChromacordWarning)]

    def get(self, identifier: str) -> OpenClip:
        """Return a clip.

        Raises:
            InputError: it is not open.
        """
        if identifier not in self._clips:
            raise InputError("this clip is no longer open; open its files again")
        return self._clips[identifier]

    def all(self) -> list[OpenClip]:
        """Return all clips, the oldest first."""
        return list(self._clips.values())

    def close(self) -> None:
        """Close all clips."""
        for clip in self._clips.values():
            clip.close()
        self._clips.clear()

    def checked(self, session: Session) -> Session:
        """Return a session with absolute paths, all of which lie in the folders.

        Raises:
            InputError: a path lies elsewhere.
        """
        confined = self._folders.confined
        clip = {name: confined(path) if names_file(name, path) else path for name, path in session.clip.items()}
        outputs = {name: confined(path) for name, path in session.outputs.items()}
        config, method = session.options.get("config"), session.options.get("method")
        if config is not None and "://" not in str(config):
            confined(str(config))
        for weights in weights_files(method) if isinstance(method, str) else ():
            confined(str(weights))
        return Session(clip, session.options, session.encoding, outputs)
