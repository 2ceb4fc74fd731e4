"""The guard: what comes from elsewhere than the studio's own page, or in another form, goes no further."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OWN_SITE = frozenset({"same-origin", "none"})  # Sec-Fetch-Site of the page itself, and of an address typed in
# Everything from here, nothing from anywhere else; data: for pictures that an answer brings along, and for those in a
# report, which is framed, has no script, styles itself, and opens the papers that it names in windows of their own.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "frame-src 'self'; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class Guard:
    """Lets through what the studio's own page asks for.

    names: the hosts by which the studio may be called. A page of another site whose name was made to point here ("DNS
    rebinding") calls it by its own name. is_open: whether any address in numbers will do, too, which no such page has.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = LOOPBACK, is_open: bool = False) -> None:
        self._app, self._names, self._is_open = app, frozenset(names), is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return  # there is none here, and its handshake is bound by no origin
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            status, sentence = refusal
            await JSONResponse({"error": sentence}, status, headers=HEADERS)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and the sentence with which a request is turned away; None for one that is welcome."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_own(host):
            return 421, "the studio is not called by this name; open the address that it printed"
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope['scheme']}://{host}":
            return 403, "the studio listens to its own page alone"
        is_page = scope["method"] == "GET" and scope["path"] == "/"  # a link on another site may lead here
        if not is_page and headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            return 403, "the studio listens to its own page alone"
        if scope["method"] not in ("GET", "HEAD") and headers.get("content-type", "") != "application/json":
            return 415, "what is asked of the studio is written in JSON"
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or (self._is_open and _is_address(name))


def own_names(host: str) -> frozenset[str]:
    """The names by which a studio may be called that listens on a host."""
    return LOOPBACK | ({host.lower()} if host in LOOPBACK else {host.lower(), socket.gethostname().lower()})


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
