"""The web application: all routes except those of a single clip."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from chromacord.errors import ChromacordError, InputError
from chromacord.grade.exports import EXPORT_FORMATS
from chromacord.io.video.codecs import CODECS
from chromacord.matte.ways import MatteOptions
from chromacord.methods import list_methods
from chromacord.ui.look import turning
from chromacord.ui.packets import encoded
from chromacord.ui.serving.clip_routes import clip_routes
from chromacord.ui.serving.uploads import receive
from chromacord.ui.serving.website import Site, body_of, text_of
from chromacord.ui.session import Session, read_session
from chromacord.ui.shown_frames import first_picture
from chromacord.ui.tasks import Task

STATIC = Path(__file__).parents[1] / "static"

_MATTE_OPTIONS = tuple(each.name for each in fields(MatteOptions))
_MATTE_FILES = ("plate", "within", "without", "model", "model_config")


def make_app(site: Site) -> Starlette:
    """Return the ASGI application of a site, without the checks of `OnlyOurPage`."""

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await run_in_threadpool(site.close)

    routes: list[BaseRoute] = [
        Route("/", _page),
        *_file_routes(site),
        *_task_routes(site),
        *clip_routes(site),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Starlette(routes=routes, exception_handlers={ChromacordError: _told}, lifespan=life)


async def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _told(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=422)


def _file_routes(site: Site) -> list[BaseRoute]:
    async def state(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(_state, site))

    async def files(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(site.folders.listing, request.query_params.get("folder")))

    async def upload(request: Request) -> Response:
        name = request.query_params.get("name", "")
        path = await receive(request.stream(), name, site.temporary, limit=site.max_upload)
        return JSONResponse({"path": str(path)})

    async def picture(request: Request) -> Response:
        path = site.folders.confined(request.query_params.get("path", ""))
        content = await run_in_threadpool(lambda: encoded(first_picture(path)))
        return Response(content, media_type="image/jpeg")

    async def open_clip(request: Request) -> Response:
        session = Session.from_json(await body_of(request))
        clip, messages = await run_in_threadpool(site.clips.open, session)
        return JSONResponse(clip.to_json() | {"warnings": messages})

    async def open_file(request: Request) -> Response:
        path = Path(site.folders.confined(text_of(await body_of(request), "path")))
        clip, messages = await run_in_threadpool(lambda: site.clips.open(read_session(path)))
        return JSONResponse(clip.to_json() | {"warnings": messages})

    return [
        Route("/api/state", state),
        Route("/api/files", files),
        Route("/api/picture", picture),
        Route("/api/uploads", upload, methods=["POST"]),
        Route("/api/clips", open_clip, methods=["POST"]),
        Route("/api/sessions", open_file, methods=["POST"]),
    ]


def _task_routes(site: Site) -> list[BaseRoute]:
    async def matte(request: Request) -> Response:
        return JSONResponse(site.tasks.add(_matte_task(site, await body_of(request))).to_json())

    async def tasks(_: Request) -> Response:
        return JSONResponse([each.to_json() for each in site.tasks.all()])

    async def task(request: Request) -> Response:
        found, action = _task(site, request), request.path_params["action"]
        changes = {"cancel": site.tasks.cancel, "pause": site.tasks.pause, "resume": site.tasks.resume}
        if action not in changes:
            raise InputError(f"a task can be cancelled, paused and resumed, not {action}")
        await run_in_threadpool(changes[action], found)
        return JSONResponse(found.to_json())

    async def result(request: Request) -> Response:
        outputs = (_task(site, request).result or {}).get("outputs", [])
        number = request.path_params["output"]
        if not 0 <= number < len(outputs) or not Path(outputs[number]).is_file():
            raise InputError("the task has no such file; look into its folder")
        path = Path(site.folders.confined(outputs[number]))
        return FileResponse(path, filename=path.name, content_disposition_type="attachment")

    return [
        Route("/api/mattes", matte, methods=["POST"]),
        Route("/api/tasks", tasks),
        Route("/api/tasks/{number:int}/{action:str}", task, methods=["POST"]),
        Route("/api/tasks/{number:int}/outputs/{output:int}", result),
    ]


def _state(site: Site) -> dict[str, Any]:
    methods = [each for each in list_methods() if each.has_weights and not each.install]
    return {
        "folders": [str(each) for each in site.folders.roots if each != site.temporary],
        "temporary": str(site.temporary),
        "methods": [{"name": each.name, "description": each.description} for each in methods],
        "codecs": {name: {"suffixes": codec.containers, "crf": codec.crf} for name, codec in CODECS.items()},
        "exports": list(EXPORT_FORMATS),
        "turning": turning(),
        "clips": [{"id": each.id, "title": each.title} for each in site.clips.all()],
    }


def _matte_task(site: Site, given: Mapping[str, Any]) -> Task:
    """Return the task that makes a mask.

    Raises:
        InputError: a path lies outside the folders, or an option is unknown.
    """
    confined = site.folders.confined
    options = given.get("options")
    if not isinstance(options, dict) or not options.keys() <= set(_MATTE_OPTIONS):
        raise InputError(f"options of a mask are {', '.join(_MATTE_OPTIONS)}; give some of them")
    for name in _MATTE_FILES:
        if options.get(name) is not None:
            options = options | {name: confined(text_of(options, name))}
    clip, output = confined(text_of(given, "clip")), confined(text_of(given, "output"))
    request = {"clip": clip, "output": output, "options": options, "force": bool(given.get("force"))}
    return Task("matte", f"mask {Path(output).name}", request, waits=True)


def _task(site: Site, request: Request) -> Task:
    found = site.tasks.get(request.path_params["number"])
    if found is None:
        raise InputError("there is no such task any more; reload the page")
    return found
