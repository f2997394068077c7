"""State shared by all requests, and functions to read their content."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from chromacord.errors import InputError
from chromacord.parsing import parse_json
from chromacord.ui.opened import OpenClips
from chromacord.ui.serving.folders import Folders
from chromacord.ui.tasks import Tasks

MAX_UPLOAD = 64 << 30
"""Default limit of one uploaded file in bytes."""

_MAX_BODY = 1 << 20


@dataclass(frozen=True)
class Site:
    """State shared by all requests."""

    folders: Folders
    temporary: Path
    """Folder for uploads, proxies and grades; also one of `folders`."""

    tasks: Tasks
    clips: OpenClips
    max_upload: int = MAX_UPLOAD

    @classmethod
    def of(cls, folders: Folders, temporary: Path, *, max_upload: int = MAX_UPLOAD) -> "Site":
        """Return a site without clips and tasks."""
        tasks = Tasks()
        return cls(folders, temporary, tasks, OpenClips(folders, temporary, tasks), max_upload)

    def close(self) -> None:
        """End all tasks and close all clips."""
        self.tasks.close()
        self.clips.close()


async def body_of(request: Request) -> dict[str, Any]:
    """Return a request's JSON object.

    Raises:
        InputError: it is larger than 1 MB, or not a JSON object.
    """
    # Other pages cannot send this type without a preflight request (CORS), which the server does not grant.
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise InputError("the request holds no JSON; reload the page")
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > _MAX_BODY:
            raise InputError(f"the request is larger than {_MAX_BODY:,} bytes; reload the page")
    data = parse_json(content, where="the request", remedy="reload the page")
    if not isinstance(data, dict):
        raise InputError("the request is not an object; reload the page")
    return data


def text_of(values: Mapping[str, Any], name: str) -> str:
    """Return a text from a request.

    Raises:
        InputError: it is missing, or not text.
    """
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise InputError(f"{name} is missing; give it")
    return value
