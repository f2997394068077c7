"""What the page asks about one clip: its state, its pictures, its grade, and what is made of it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from chromacord.errors import InputError, one_of
from chromacord.io.writing.staging import write_text
from chromacord.ui.look import NO_LOOK, look_of
from chromacord.ui.opened import OpenClip
from chromacord.ui.serving.website import Site, body_of, text_of
from chromacord.ui.session import Session, session_text
from chromacord.ui.shown_frames import KINDS, SupersededError, encoded

OCTETS = "application/octet-stream"
_PART = 1 << 20
_EXPORTS = ("grade_out", "lut_out", "preview")


def clip_routes(site: Site) -> list[BaseRoute]:
    """Return the routes below /api/clips/{clip}."""

    async def state(request: Request) -> Response:
        return JSONResponse(_clip(site, request).to_json())

    async def change(request: Request) -> Response:
        clip = _clip(site, request)
        session = site.clips.checked(Session.from_json(await body_of(request)))
        await run_in_threadpool(clip.change, session)
        return JSONResponse(clip.to_json())

    async def picture(request: Request) -> Response:
        return await run_in_threadpool(_picture, _clip(site, request), request)

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
        Route(at + "/frames/{index:int}/{kind}", picture),
        Route(at + "/looks/{index:int}", look),
        Route(at + "/renders", render, methods=["POST"]),
        Route(at + "/session", save, methods=["POST"]),
    ]


def _clip(site: Site, request: Request) -> OpenClip:
    return site.clips.get(request.path_params["clip"])


def _picture(clip: OpenClip, request: Request) -> Response:
    """Return a picture of a frame: small as a file, or exact as bytes, without a head."""
    index, kind = request.path_params["index"], request.path_params["kind"]
    if kind not in KINDS:
        raise InputError(f"there is no {kind} of a frame; {one_of(kind, KINDS)}")
    exact = "exact" in request.query_params
    if not exact and (file := clip.proxies.file(index, kind)).is_file():
        return FileResponse(file)
    try:
        codes = getattr(clip.read(index), kind)
    except SupersededError:
        return Response(status_code=204)
    if codes is None:
        raise InputError(f"frame {index} has no {kind}")
    if not exact:
        content, media_type = encoded(codes)
        return Response(content, media_type=media_type)
    shape = {"x-height": str(codes.shape[0]), "x-width": str(codes.shape[1])}
    return StreamingResponse(_parts(codes.data.cast("B")), 200, shape | {"content-length": str(codes.nbytes)}, OCTETS)


async def _parts(content: memoryview) -> AsyncIterator[memoryview]:
    """Yield parts of a picture: the whole would be copied before it is sent."""
    for start in range(0, len(content), _PART):
        yield content[start : start + _PART]


def _look(clip: OpenClip, request: Request) -> Response:
    grade, version = clip.grade, clip.version
    look = NO_LOOK
    if grade is not None:
        look = look_of(grade, request.path_params["index"], clip.session.options.get("protect"))
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
