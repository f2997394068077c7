"""Routes of one clip: its state, pictures, grade, renders and exports."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from chromacord.errors import InputError
from chromacord.io.interfaces import SupersededError
from chromacord.io.writing.staging import write_text
from chromacord.ui.look import NO_LOOK, look_of
from chromacord.ui.opened import OpenClip
from chromacord.ui.serving.website import Site, body_of, text_of
from chromacord.ui.session import Session, session_text

OCTETS = "application/octet-stream"
_PIECE = 1 << 20
_EXPORTS = ("grade_out", "lut_out", "preview")


def clip_routes(site: Site) -> list[BaseRoute]:
    """Return the routes below /api/clips/{clip}."""

    async def state(request: Request) -> Response:
        clip = _clip(site, request)
        await run_in_threadpool(clip.begin)
        return JSONResponse(clip.to_json())

    async def change(request: Request) -> Response:
        clip = _clip(site, request)
        session = site.clips.checked(Session.from_json(await body_of(request)))
        await run_in_threadpool(clip.change, session)
        return JSONResponse(clip.to_json())

    async def frame(request: Request) -> Response:
        return await _while_connected(_clip(site, request), request)

    async def look(request: Request) -> Response:
        return await run_in_threadpool(_look, _clip(site, request), request)

    async def render(request: Request) -> Response:
        clip, given = _clip(site, request), await body_of(request)
        task = await run_in_threadpool(_render, site, clip, given)
        return JSONResponse(task.to_json())

    async def save(request: Request) -> Response:
        clip, given = _clip(site, request), await body_of(request)
        path = Path(site.folders.confined(text_of(given, "path")))
        outputs = site.clips.checked(Session(outputs=given.get("outputs", {}), encoding=given.get("encoding", {})))
        session = Session(clip.session.clip, clip.session.options, outputs.encoding, outputs.outputs)
        text = session_text(session, path.parent)
        await run_in_threadpool(lambda: write_text(path, text, force=bool(given.get("force"))))
        return JSONResponse({"path": str(path)})

    at = "/api/clips/{clip}"
    return [
        Route(at, state),
        Route(at, change, methods=["PUT"]),
        Route(at + "/frames/{index:int}", frame),
        Route(at + "/looks/{index:int}", look),
        Route(at + "/renders", render, methods=["POST"]),
        Route(at + "/session", save, methods=["POST"]),
    ]


def _clip(site: Site, request: Request) -> OpenClip:
    return site.clips.get(request.path_params["clip"])


async def _while_connected(clip: OpenClip, request: Request) -> Response:
    """Return the pictures of a frame, or cancel when the page disconnects, because decoding uses all cores."""
    is_gone = threading.Event()

    async def watch() -> None:
        # The request itself is received first, then nothing until the page disconnects.
        while (await request.receive())["type"] != "http.disconnect":
            pass
        is_gone.set()

    watching = asyncio.create_task(watch())
    try:
        return await run_in_threadpool(_frame, clip, request, lambda: not is_gone.is_set())
    except SupersededError:
        return Response(status_code=204)
    finally:
        watching.cancel()


def _frame(clip: OpenClip, request: Request, is_wanted: Callable[[], bool]) -> Response:
    """Return the pictures of a frame, small or at the clip's size."""
    index = request.path_params["index"]
    if "exact" in request.query_params:
        return _InParts(clip.exact(index, is_wanted))
    return Response(clip.small(index, is_wanted), 200, {"content-encoding": "deflate"}, OCTETS)


class _InParts(Response):
    """An answer that is sent part by part, because a single body would be copied before sending.

    Starlette's own ends by an exception if the page leaves, whose traceback would hold the pictures for a while.
    """

    def __init__(self, parts: Sequence[bytes | memoryview]) -> None:
        super().__init__(headers={"content-length": str(sum(map(len, parts)))}, media_type=OCTETS)
        self._parts = [*reversed(parts)]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while self._parts:
            part = self._parts.pop()
            for start in range(0, len(part), _PIECE):
                body = part[start : start + _PIECE]
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _look(clip: OpenClip, request: Request) -> Response:
    version, grade = clip.decided
    look = NO_LOOK
    if grade is not None:
        index = request.path_params["index"]
        number = 1 + sum(shot.stop <= index for shot in grade.shots)
        look = look_of(grade, index, clip.session.how.hand.of_shot(number).protect)
    head = {"x-look": look.head(), "x-version": str(version)}
    return Response(look.values.astype("<f4").tobytes(), 200, head, OCTETS)


def _render(site: Site, clip: OpenClip, given: Mapping[str, Any]) -> Any:
    outputs = given.get("outputs")
    if not isinstance(outputs, dict) or not outputs:
        raise InputError("there is nothing to write; name an output")
    checked = site.clips.checked(Session(outputs=outputs, encoding=given.get("encoding") or {}))
    is_export = checked.outputs.keys() <= set(_EXPORTS)
    kind = "export" if is_export else "render"
    return clip.render(checked.outputs, checked.encoding, force=bool(given.get("force")), kind=kind)
