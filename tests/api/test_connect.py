"""What goes wrong before the first byte has left: each reason has its sentence, its cause, and "nothing was sent"."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import os
import socket
import ssl
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from novakit_widgets import JobHistory, NovaKitClient
from novakit_widgets.engine.submit import submit
from novakit_widgets.errors import ConfigurationError, MediaError, NovaKitConnectionError, SubmissionUncertainError
from novakit_widgets.model.tools import Tool

KEY = "sk_" + "a" * 64
FAR = "https://novakit.example/api/v1"
NOW = dt.datetime.now(tz=dt.timezone.utc)
# A name of the environment, its value, and the words of the error.
BAD_ENVIRONMENT = [
    ("ALL_PROXY", "socks5://127.0.0.1:1080", r"ALL_PROXY names a SOCKS proxy, .* pip install 'httpx\[socks\]'"),
    ("all_proxy", "socks5h://127.0.0.1:1080", "all_proxy names a SOCKS proxy"),
    ("HTTPS_PROXY", "ftp://127.0.0.1", "HTTPS_PROXY is not the URL of a proxy"),
    ("HTTP_PROXY", "http://proxy:port", "HTTP_PROXY is not the URL of a proxy"),
    ("SSL_CERT_FILE", "/nowhere/ca.pem", r"SSL_CERT_FILE names /nowhere/ca\.pem, which can't be used \(No such file"),
    ("HTTPS_PROXY", "http://[::1", "HTTPS_PROXY is not the URL of a proxy"),
    ("NO_PROXY", "localhost,[::1", "NO_PROXY is not a list of hosts"),
    ("SSL_CERT_DIR", "/nowhere:/neither", r"SSL_CERT_DIR names /nowhere:/neither, which can't be used \(No such file"),
    ("SSL_CERT_DIR", os.devnull, r"SSL_CERT_DIR names .*, which can't be used \(Not a directory\)"),
    ("SSL_CERT_FILE", os.devnull, r"SSL_CERT_FILE names .*, which can't be used \(there is no certificate in it\)"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No proxy and no certificates but those of the test."""
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


def certificate_for(folder, *, host="127.0.0.1", expired=False):
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
    try:
        san = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        san = x509.DNSName(host)
    begin = NOW - dt.timedelta(days=20)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(NOW + dt.timedelta(days=-10 if expired else 10))
        .add_extension(x509.SubjectAlternativeName([san]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@asynccontextmanager
async def server(answer: bytes, *, folder=None):
    """Serve one answer to whatever is asked, over TLS where there is a folder with a certificate."""
    context = None
    if folder is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")

    async def serve(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()


JSON = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{"jobs":[]}'
)


async def failure_at(url):
    """Ask once, and return the error."""
    async with NovaKitClient(KEY, url) as client:
        with pytest.raises(NovaKitConnectionError) as caught:
            await client.list(retry=False)
    assert caught.value.reached is False
    assert "NovaKit can't be reached at" in str(caught.value)
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__traceback__ is None  # its frames would show the key
    return caught.value


async def test_unknown_authority_is_named(tmp_path):
    """The advice is the variable that takes the authority's file."""
    certificate_for(tmp_path)
    async with server(JSON, folder=tmp_path) as port:
        error = await failure_at(f"https://127.0.0.1:{port}")
    assert "signed by an unknown authority" in str(error)
    assert "SSL_CERT_FILE" in str(error)
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)


async def test_authority_of_ssl_cert_file_is_trusted_on_loopback(tmp_path, monkeypatch):
    """A sandbox or gateway of one's own may speak TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_for(tmp_path)))
    async with server(JSON, folder=tmp_path) as port, NovaKitClient(KEY, f"https://127.0.0.1:{port}") as client:
        assert await client.list() == ()


async def test_wrong_host_name_is_named(tmp_path, monkeypatch):
    """The authority is known; the certificate is somebody else's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_for(tmp_path, host="other.example")))
    async with server(JSON, folder=tmp_path) as port:
        error = await failure_at(f"https://127.0.0.1:{port}")
    assert "its certificate is for another host than 127.0.0.1" in str(error)
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)


async def test_expired_certificate_is_named(tmp_path, monkeypatch):
    """The advice is to look at the clock."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_for(tmp_path, expired=True)))
    async with server(JSON, folder=tmp_path) as port:
        error = await failure_at(f"https://127.0.0.1:{port}")
    assert "its certificate has expired" in str(error)


async def test_refused_port_is_named(unused_tcp_port):
    """On this machine the sandbox may have ended."""
    error = await failure_at(f"http://127.0.0.1:{unused_tcp_port}")
    assert f"port {unused_tcp_port} of 127.0.0.1 refused the connection" in str(error)
    assert "nk.use_sandbox()" in str(error)
    assert isinstance(error.__cause__, OSError)


async def test_proxy_that_asks_for_a_password_is_named(monkeypatch):
    """407, with the variable that the password goes into."""
    async with server(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = await failure_at(FAR)
    assert "the proxy of HTTPS_PROXY asks for a user name and a password (407)" in str(error)
    assert "407" in str(error.__cause__)


async def test_proxy_that_refuses_is_named(monkeypatch, unused_tcp_port):
    """Not NovaKit refuses, but the proxy."""
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{unused_tcp_port}")
    error = await failure_at(FAR)
    assert "the proxy of ALL_PROXY refused the connection" in str(error)


def raises(error):
    """Stand in for a function of the system that fails."""

    async def fail(*_args, **_kwargs):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("can't start new thread"), "can't open a connection .RuntimeError: can't start new thread"),
        (socket.gaierror(-2, "Name or service not known"), "the host name novakit.example can't be resolved"),
        (ImportError("no backend"), "can't open a connection .ImportError: no backend"),
        (MemoryError("out of memory"), "can't open a connection .MemoryError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_whatever_fails_before_the_first_byte_sends_nothing(tmp_path, monkeypatch, error, message):
    """Such as no thread to look up a host name: each call says so, and the row of a submission is unsent."""
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", raises(error))
    history = JobHistory(tmp_path / "history.sqlite3")
    async with NovaKitClient(KEY, FAR) as client:
        for call in (
            client.quota(),
            client.cancel("job_1"),
            submit(client, Tool.IMAGE, {"prompt": "A lighthouse"}, history=history),
        ):
            with pytest.raises(NovaKitConnectionError, match=message) as caught:
                await call
            assert caught.value.reached is False
        assert "Nothing was started or billed" in str(caught.value)
        with pytest.raises(MediaError, match="could not be fetched"):
            await client.download("https://media.example/a.mp4", tmp_path)
    assert [entry.stage for entry in history.entries()] == ["unsent"]
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_proxy_that_fails_before_the_tunnel_is_open_sends_nothing(monkeypatch, answer):
    """The proxy was asked for a tunnel, and the request stayed here."""
    async with server(answer) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        failure = await failure_at(FAR)
    assert "HTTPS_PROXY" in str(failure)


async def test_request_that_has_left_may_have_arrived(tmp_path):
    """A service that closes the connection without an answer may have started the job."""
    async with server(b"") as port, NovaKitClient(KEY, f"http://127.0.0.1:{port}") as client:
        with pytest.raises(SubmissionUncertainError):
            await client.submit(Tool.IMAGE, {"prompt": "A lighthouse"})


async def test_submission_cancelled_before_the_first_byte_sends_nothing(tmp_path, monkeypatch):
    """As while a host name is looked up: the row is unsent, and there is nothing to look for."""
    looking = asyncio.Event()

    async def look_up(*_args, **_kwargs):
        looking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    history = JobHistory(tmp_path / "history.sqlite3")
    async with NovaKitClient(KEY, FAR) as client:
        task = asyncio.ensure_future(submit(client, Tool.IMAGE, {"prompt": "A lighthouse"}, history=history))
        await looking.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (entry,) = await history.off_loop(history.entries)
    assert entry.stage == "unsent"


async def test_each_reason_has_its_own_sentence(tmp_path, monkeypatch, unused_tcp_port):
    """Nobody has to guess which of them it was."""
    certificate_for(tmp_path)
    said = set()
    async with server(JSON, folder=tmp_path) as port:
        said.add(str(await failure_at(f"https://127.0.0.1:{port}")))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        said.add(str(await failure_at(f"https://localhost:{port}")))
    said.add(str(await failure_at(f"http://127.0.0.1:{unused_tcp_port}")))
    assert len(said) == 3


KEY_LOG = ("SSLKEYLOGFILE", "/nowhere/keys.log", r"SSLKEYLOGFILE names /nowhere/keys\.log, which can't be used")


@pytest.mark.parametrize(("name", "value", "message"), [*BAD_ENVIRONMENT, KEY_LOG])
async def test_unusable_environment_is_named_and_nothing_was_sent(tmp_path, monkeypatch, name, value, message):
    """A ConfigurationError from each call, and the row of a submission is unsent."""
    monkeypatch.setenv(name, value)
    history = JobHistory(tmp_path / "history.sqlite3")
    async with NovaKitClient(KEY, FAR) as client:
        for call in (
            client.quota(),
            client.list(),
            client.get("job_1"),
            client.cancel("job_1"),
            client.download("https://media.example/a.mp4", tmp_path / "a.mp4"),
            submit(client, Tool.IMAGE, {"prompt": "A lighthouse"}, history=history),
        ):
            with pytest.raises(ConfigurationError, match=f"{message}.*Nothing was sent") as caught:
                await call
            assert caught.value.__cause__ is not None
    assert [entry.stage for entry in history.entries()] == ["unsent"]


@pytest.mark.parametrize(("name", "value", "message"), BAD_ENVIRONMENT)
async def test_loopback_ignores_the_environment(tmp_path, monkeypatch, sandbox, name, value, message):
    """The sandbox clock, and so do its files."""
    monkeypatch.setenv(name, value)
    async with NovaKitClient(sandbox.api_key, sandbox.base_url) as client:
        job = await client.submit("images/generations", {"prompt": "A lighthouse", "size": "512x512"})
        while not job.ended:
            job = await client.get(job.id, poll=True)
        assert (await client.download(job.media[0].url, tmp_path)).stat().st_size
