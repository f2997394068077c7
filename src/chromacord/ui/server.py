"""Run the page's server until a signal stops it."""

import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from chromacord.errors import InputError
from chromacord.io.memory import share_freed_memory
from chromacord.ui.session import Session

INSTALL = "in a checkout of chromacord, run: pip install '.[ui]'"


def serve(
    *,
    folders: Sequence[Path],
    session: Session | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    ready: Callable[[str], object] = print,
) -> None:
    """Serve the page until SIGINT or SIGTERM.

    Args:
        folders: the folders that the page may read and write.
        session: a clip to open first.
        host: address to listen on. If other machines can reach it, the page requires a token.
        port: port to listen on; 0: any free one.
        token: the secret; None: generate one if required.
        ready: called with the page's address as soon as it can be opened.

    Raises:
        InputError: the extra `ui` is not installed, the address cannot be used, or a file of the session cannot.
    """
    try:
        import uvicorn

        from chromacord.ui.serving.app import make_app
        from chromacord.ui.serving.safety import LOOPBACK, OnlyOurPage, hosts_of
        from chromacord.ui.serving.website import Site
    except ModuleNotFoundError as error:
        raise InputError(f"the page needs {error.name}; {INSTALL}") from error
    from chromacord.ui.serving.folders import Folders

    share_freed_memory()
    temporary = Path(tempfile.mkdtemp(prefix="chromacord-ui-")).resolve()
    # Bind here instead of in uvicorn, so that the port is known and a failure raises our own error.
    listener = _listener(host, port)
    bound = listener.getsockname()[1]
    secret = token or (None if host in LOOPBACK else secrets.token_urlsafe(24))
    try:
        site = Site.of(Folders([*folders, temporary]), temporary)
        opened = None if session is None else site.clips.open(session)[0]
        app = OnlyOurPage(make_app(site), hosts=hosts_of(host, bound), token=secret)  # type: ignore[arg-type]
        # Limit the shutdown to two seconds: browsers keep connections open, and it would wait for them forever.
        config = uvicorn.Config(
            app, log_level="error", access_log=False, server_header=False, timeout_graceful_shutdown=2, ws="none"
        )
        shown = f"[{host}]" if ":" in host else host
        query = "" if secret is None else f"?token={secret}"
        ready(f"http://{shown}:{bound}/{query}{'' if opened is None else f'#{opened.id}'}")
        uvicorn.Server(config).run([listener])
    finally:
        listener.close()
        shutil.rmtree(temporary, ignore_errors=True)


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # asyncio sets TCP_NODELAY only on sockets with an explicit protocol; without it, responses take 40 ms longer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # Otherwise the port stays in use for a minute after the server has ended.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(64)
    except OSError as error:
        raise InputError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
    return listener
