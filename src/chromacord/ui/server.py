"""Run the page's server until it is told to stop."""

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
        host: address to listen on. One that other machines reach needs a token.
        port: 0 for any that is free.
        token: the secret; None: a new one, if one is needed.
        ready: called with the page's address when it can be opened.

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
    # Bound here and not by uvicorn, so that the port is known, and its error is ours.
    listener = _listener(host, port)
    bound = listener.getsockname()[1]
    secret = token or (None if host in LOOPBACK else secrets.token_urlsafe(24))
    try:
        site = Site.of(Folders([*folders, temporary]), temporary)
        opened = None if session is None else site.clips.open(session)[0]
        app = OnlyOurPage(make_app(site), hosts=hosts_of(host, bound), token=secret)  # type: ignore[arg-type]
        # Two seconds to end: browsers keep connections open, for which a shutdown would wait without end.
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
        # With its protocol named: only then asyncio sends at once (TCP_NODELAY); else answers wait for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # Otherwise the port stays taken for a minute after the server has ended.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(64)
    except OSError as error:
        raise InputError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
    return listener
