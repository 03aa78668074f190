"""Make httpx's clients, and explain why one can't be made or can't connect. Nothing was sent in either case."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..config.redaction import guard_logs
from ..errors import ConfigurationError, NovaKitConnectionError
from ..runtime.hosts import is_loopback
from .retry import cancelled_unsent

if TYPE_CHECKING:
    import httpx

    from .answers import Action

__all__ = ["CONNECT_SECONDS", "READ_SECONDS", "Departure", "HttpClients", "broken"]

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
_MAX_REDIRECTS = 5  # of media; calls with a key follow none
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_KEY_LOG = "SSLKEYLOGFILE"
_PROXY_VARIABLES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
_HOST_MISMATCH = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED


class HttpClients:
    """The httpx clients of one event loop: for the API, and for media. Each is made when it is first needed.

    Only the client for the API gets the key. Clients for this machine ignore the environment's proxies: a proxy would look for the
    sandbox on its own machine, and would see the key unencrypted.

    Args:
        base_url: the base URL of the API.
        transport: a httpx transport to use instead of the network's.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = base_url
        self._transport = transport
        self._made: dict[str, httpx.AsyncClient] = {}
        self._contexts: dict[bool, ssl.SSLContext] = {}

    @property
    def api(self) -> httpx.AsyncClient:
        """The client for the API.

        Raises:
            ConfigurationError: the environment's proxies or certificates can't be used.
        """
        import httpx

        if "api" not in self._made:
            limits = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=60.0)
            self._made["api"] = self._client(self._base_url, limits=limits, follow_redirects=False)
        return self._made["api"]

    def to(self, url: str) -> httpx.AsyncClient:
        """Return the client for media at an address.

        Raises:
            ConfigurationError: the environment's proxies or certificates can't be used.
        """
        parts = urlsplit(url)
        kind = f"this machine's {parts.scheme}" if is_loopback(parts.hostname or "") else "media"
        if kind not in self._made:
            self._made[kind] = self._client(url, follow_redirects=True, max_redirects=_MAX_REDIRECTS)
        return self._made[kind]

    async def aclose(self) -> None:
        """Close all clients."""
        while self._made:
            _, client = self._made.popitem()
            try:
                await client.aclose()
            finally:
                if self._made:
                    await self.aclose()

    def _client(self, url: str, **options: Any) -> httpx.AsyncClient:
        import httpx

        guard_logs()
        parts = urlsplit(url)
        near = is_loopback(parts.hostname or "")
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        # Plain HTTP on this machine does without the environment's certificates, too.
        with _explained():
            context = self._context(trust_env=not (near and parts.scheme == "http"))
            return httpx.AsyncClient(
                transport=self._transport, verify=context, timeout=timeout, trust_env=not near, **options
            )

    def _context(self, *, trust_env: bool) -> ssl.SSLContext:
        """Return the shared TLS context: making one takes longer than all the rest."""
        import httpx

        if trust_env not in self._contexts:
            if trust_env:
                _check_folder_of_certificates()
            self._contexts[trust_env] = httpx.create_ssl_context(trust_env=trust_env)
        return self._contexts[trust_env]


@dataclass(slots=True)
class Departure:
    """Whether the first byte of a request has left, as httpcore's ``trace`` extension tells.

    Attributes:
        traced: whether it tells anything; a transport of a test does not.
        begun: whether the first byte may have left.
    """

    traced: bool = False
    begun: bool = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take in an event, such as ``"http11.send_request_headers.started"``."""
        self.traced = True
        # A request to a proxy that it opens a tunnel is not ours.
        if (
            event.endswith(".send_request_headers.started")
            and getattr(info.get("request"), "method", b"") != b"CONNECT"
        ):
            self.begun = True

    def is_ruled_out(self, error: BaseException) -> bool:
        """Whether nothing has left when an error was raised."""
        import httpx

        # An exception that is not httpx's comes from the system or from Python, before there is a connection.
        untraced = isinstance(error, Exception) and not isinstance(error, httpx.HTTPError)
        return not self.begun and (self.traced or untraced)

    def interrupted(self, error: BaseException) -> BaseException:
        """Return what to raise where sending was interrupted; `novakit_widgets.api.retry.nothing_sent` can tell of what.

        Cut off from httpx's frames: those of an await that was interrupted show the key in a verbose traceback.
        """
        unsent = isinstance(error, asyncio.CancelledError) and self.is_ruled_out(error)
        return cancelled_unsent() if unsent else error.with_traceback(None)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn any error of making a client into one that names the variable or file."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 # httpx raises ImportError, ValueError, OSError and classes of its own
        cause = error.with_traceback(None)
    else:
        return
    raise ConfigurationError(f"{_setup_problem(cause)} Nothing was sent.") from cause


def _setup_problem(error: Exception) -> str:
    if isinstance(error, OSError):  # ssl.SSLError is one, too
        return _certificates_problem(error)
    names = [name for name in _set_variables(_PROXY_VARIABLES) if _is_culprit(name, error)]
    if names and all(name.upper() == "NO_PROXY" for name in names):
        return f"{names[0]} is not a list of hosts such as localhost,10.0.0.1. Correct the variable, or remove it."
    where = " or ".join(names) or "The system's proxy setting"
    if isinstance(error, ImportError):
        return (
            f"{where} names a SOCKS proxy, which needs the package socksio: install it with pip install 'httpx[socks]', "
            "or remove the variable."
        )
    return f"{where} is not the URL of a proxy such as http://host:port. Correct the variable, or remove it."


def _check_folder_of_certificates() -> None:
    """Refuse a folder that is gone: OpenSSL ignores it, and then no certificate is trusted.

    Raises:
        OSError: it can't be used.
    """
    folders = os.environ.get("SSL_CERT_DIR")
    if not folders or os.environ.get("SSL_CERT_FILE"):
        return
    if not any(Path(folder).is_dir() for folder in folders.split(os.pathsep)):
        os.scandir(folders).close()  # which says why


def _certificates_problem(error: OSError) -> str:
    reason = "there is no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror or str(error)
    variables = _set_variables((_KEY_LOG, *_CA_VARIABLES))
    named = [name for name in variables if error.filename == os.environ[name]]
    for name in named or [name for name in variables if name != _KEY_LOG]:
        return f"{name} names {os.environ[name]}, which can't be used ({reason}). Correct the variable, or remove it."
    return f"The certificates of the package certifi can't be read ({reason}). Install it again."


def _set_variables(names: tuple[str, ...]) -> list[str]:
    return [spelled for name in names for spelled in (name, name.lower()) if os.environ.get(spelled)]


def _is_culprit(name: str, error: Exception) -> bool:
    """Whether a proxy variable alone causes the error."""
    import httpx

    value = os.environ[name]
    if isinstance(error, ImportError):
        return value.lower().startswith("socks")
    if name.upper() == "NO_PROXY":
        hosts = [host.strip() for host in value.split(",") if host.strip()]
        return any(_is_refused(lambda host=host: httpx.URL(f"all://*{host}")) for host in hosts)
    url = value if "://" in value else f"http://{value}"
    return _is_refused(lambda: httpx.Proxy(url))


def _is_refused(make: Any) -> bool:
    import httpx

    try:
        make()
    except (ValueError, httpx.InvalidURL):
        return True
    return False


def broken(error: Exception, departure: Departure, url: str, action: Action) -> NovaKitConnectionError | None:
    """Turn an error of sending a request into one that says whether it may have arrived.

    Args:
        error: from httpx, the system or Python.
        departure: of the request.
        url: the base URL.
        action: what the request was for.

    Returns:
        The error to raise; ``None`` for one that is not about the connection.
    """
    import httpx

    never_left = httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError
    if isinstance(error, never_left) or departure.is_ruled_out(error):
        return unreachable(error, url, action)
    if not isinstance(error, httpx.HTTPError):
        return None
    return NovaKitConnectionError(
        f"The connection to NovaKit broke before the answer was there ({type(error).__name__}).", job_id=action.job_id
    )


def unreachable(error: Exception, url: str, action: Action) -> NovaKitConnectionError:
    """Turn an error of httpx from before the request was sent into one that says why.

    Args:
        error: from connecting to the service or to a proxy.
        url: the base URL.
        action: what the request was for.

    Returns:
        The error to raise. Its ``__cause__`` is the first error of the chain, without tracebacks.
    """
    chain = list(_chain(error))
    reason, advice = _reason(chain, url)
    failure = NovaKitConnectionError(
        f"NovaKit can't be reached at {url}: {reason}. {action.meaning} {advice}", reached=False, job_id=action.job_id
    )
    # Not httpx's own: it holds the request with the key.
    cause = chain[-1]
    cause.__traceback__ = cause.__context__ = cause.__cause__ = None
    failure.__cause__ = cause
    return failure


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "exceptions", None)  # a group: one for each address of a host
        error = inner[0] if inner else error.__cause__ or error.__context__


def _reason(chain: list[BaseException], url: str) -> tuple[str, str]:
    """Return why there is no connection, and what to do about it."""
    parts = urlsplit(url)
    host = parts.hostname or url
    for error in chain:
        if isinstance(error, ssl.SSLCertVerificationError):
            return _certificate_reason(error, host)
        if isinstance(error, socket.gaierror):
            return _lookup_reason(host, url)
        if isinstance(error, ssl.SSLError):
            return f"{host} does not speak TLS as expected ({error.reason})", "Check the base URL and the proxy."
    proxy = _proxy_for(url)
    words = " ".join(map(str, chain))
    if proxy and "407" in words:
        return (
            f"the proxy of {proxy} asks for a user name and a password (407)",
            f"Write them into {proxy}: http://user:password@host:port.",
        )
    refused = (
        any(isinstance(error, ConnectionRefusedError) for error in chain) or "All connection attempts failed" in words
    )
    if refused and proxy:
        return f"the proxy of {proxy} refused the connection", f"Check {proxy}."
    if refused:
        where = host if parts.port is None else f"port {parts.port} of {host}"
        advice = "If the sandbox has ended, start it again with nk.use_sandbox()." if is_loopback(host) else ""
        return f"{where} refused the connection", advice or "Check the base URL, or try again later."
    outer = chain[0]
    if not _is_of_httpx(outer):
        return (
            f"this machine can't open a connection ({type(outer).__name__}: {outer})",
            "Try again, or restart Python.",
        )
    if proxy:
        return f"the proxy of {proxy} did not connect ({type(outer).__name__})", f"Check the network and {proxy}."
    return type(outer).__name__, "Check the network and the base URL."


def _lookup_reason(host: str, url: str) -> tuple[str, str]:
    proxy = _proxy_for(url)
    if proxy:
        return f"the host name of the proxy in {proxy} can't be resolved", f"Check the network and {proxy}."
    return f"the host name {host} can't be resolved", "Check the network and the base URL."


def _is_of_httpx(error: BaseException) -> bool:
    import httpx

    return isinstance(error, httpx.HTTPError)


def _certificate_reason(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    if error.verify_code in _HOST_MISMATCH:
        return f"its certificate is for another host than {host}", "Check the base URL and the proxy."
    if error.verify_code == _EXPIRED:
        return "its certificate has expired", "Check this machine's date, or ask the operator of the host."
    return (
        f"its certificate is signed by an unknown authority ({error.verify_message})",
        f"Check {' and '.join(names)}, which names the authorities that are trusted."
        if (names := _set_variables(_CA_VARIABLES))
        else "If your network signs certificates itself, set SSL_CERT_FILE to the file of its authority.",
    )


def _proxy_for(url: str) -> str | None:
    """Return the variable whose proxy requests to a URL go through; ``None`` where they go directly."""
    from urllib.request import proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    return next(iter(_set_variables((f"{parts.scheme.upper()}_PROXY", "ALL_PROXY"))), None)
