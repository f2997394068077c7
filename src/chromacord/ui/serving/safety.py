"""Refuse requests that do not come from the page itself.

Any web page may send requests to an address on this machine. The Host header reveals names that were rebound to it (DNS
rebinding); Origin and Sec-Fetch-Site reveal requests by other pages. If other machines can reach the address, a token
is required too.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COOKIE = "chromacord_token"

_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class OnlyOurPage:
    """Forwards requests of the page, and refuses all others with a line of text."""

    def __init__(self, app: App, *, hosts: frozenset[str], token: str | None = None) -> None:
        """Wrap an application.

        Args:
            app: receives the requests of the page.
            hosts: accepted Host headers, with the port.
            token: secret in the printed address; None: not required.
        """
        self._app, self._hosts, self._token = app, hosts, token
        # The name includes the port: browsers share cookies among all ports of a host, and two servers may run.
        self._cookie = f"{_COOKIE}_{next(iter(hosts)).rpartition(':')[2]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        reason = self._refused(headers)
        if reason is not None:
            await _answer(send, 403, reason)
            return
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if self._token is not None and not self._knows(given) and not self._knows(self._stored(headers)):
            await _answer(send, 401, "this page needs the token of the address that `chromacord ui` printed")
            return
        extra = dict(_HEADERS)
        if self._token is not None and self._knows(given):
            # Only the first address has the token; later requests of the page are identified by the cookie.
            extra["set-cookie"] = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
        await self._app(scope, receive, _with_headers(send, extra))

    def _refused(self, headers: dict[str, str]) -> str | None:
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return f"this page is not served as {host[:100]!r}; use the address that `chromacord ui` printed"
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            return "requests of other pages are refused"
        site = headers.get("sec-fetch-site", "same-origin")
        # Links from other pages are allowed: a visit changes nothing, and the other page cannot read the response.
        is_visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if site not in ("same-origin", "none") and not is_visit:
            return "requests of other pages are refused"
        return None

    def _knows(self, given: str) -> bool:
        # Compare in constant time, so that the token cannot be guessed character by character.
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def _stored(self, headers: dict[str, str]) -> str:
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[self._cookie].value if self._cookie in cookies else ""


def hosts_of(host: str, port: int) -> frozenset[str]:
    """Return the Host headers of a server that listens on an address."""
    names = {*LOOPBACK, host} if host in (*LOOPBACK, "0.0.0.0", "::") else {host}
    return frozenset(f"[{name}]:{port}" if ":" in name else f"{name.lower()}:{port}" for name in names)


def _with_headers(send: Send, extra: dict[str, str]) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            added = [(name.encode(), value.encode()) for name, value in extra.items()]
            message["headers"] = [*message.get("headers", []), *added]
        await send(message)

    return sent


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
