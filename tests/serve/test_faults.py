"""Clients that err, dawdle, leave or mean ill: clear answers, nothing that looks like a crash, service unharmed."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import httpx
import numpy as np
import pytest
from support.serving import Server, served, wait_for
from support.shipped import DIGITS

IMAGE = "/v1/models/digits/image"
IMAGES = "/v1/models/digits/images"
POST = f"POST {IMAGES} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GOOD = {"seed": 1, "label": 2}


@pytest.fixture(autouse=True)
def unharmed(server: Server, client: httpx.Client) -> Iterator[None]:
    """After each test the server draws as before, and has logged no trouble."""
    before = client.get(IMAGE, params=GOOD)
    yield
    after = client.get(IMAGE, params=GOOD)
    assert (after.status_code, after.content) == (200, before.content)
    assert not server.troubles()


@contextmanager
def connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as opened:
        yield opened


def answer_of(opened: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    data = b""
    while part := opened.recv(65536):
        data += part
    return data


@pytest.mark.parametrize(
    "more",
    [
        {"seed": "-1"},
        {"seed": str(2**32)},
        {"seed": "9" * 5000},
        {"seed": "1.5"},
        {"seed": "nan"},
        {"seed": ""},
        {"seed": "٣٤"},
        {"psi": "nan"},
        {"psi": "inf"},
        {"psi": "1e400"},
        {"psi": "x"},
        {"cutoff": "-1"},
        {"noise": "../etc/passwd"},
        {"format": "../../png"},
        {"format": "exe"},
        {"label": "eleven"},
        {"label": "-1"},
        {"label": "10"},
        {"label": "x" * 1000},
        {"label": "\0"},
        {"label": "../1"},
    ],
    ids=lambda more: str(more)[:30],
)
def test_a_bad_parameter_is_refused(client: httpx.Client, more: dict[str, str]) -> None:
    answer = client.get(IMAGE, params={"seed": "1", "label": "2", **more})
    if more.get("seed") == "٣٤":  # digits, if not ours
        assert answer.status_code in (200, 422)
        return
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert (problem["status"], problem["title"]) == (422, HTTPStatus(422).phrase)
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    "name",
    [
        "letters",
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "digits%00",
        "digits%2f",
        "%5c..",
        "C:",
        "digits%20",
        "Digits",
    ],
)
@pytest.mark.parametrize("pattern", ["/v1/models/%s/image?seed=1", "/v2/models/%s", "/v2/models/%s/ready"])
def test_no_path_comes_out_of_a_name(server: Server, name: str, pattern: str) -> None:
    with connection(server) as opened:
        opened.sendall(f"GET {pattern % name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = answer_of(opened)
    assert answer.startswith(b"HTTP/1.1 404 "), answer[:200]
    assert b"root:" not in answer


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff", 400),
        (b"null", 422),
        (b"[" * 50_000, 400),
        (b'{"seeds": [' + b"9" * 5000 + b'], "label": 1}', 400),
        (b'{"seeds": [NaN], "label": 1}', 422),
        (b'{"seeds": [1], "label": 1, "psi": NaN}', 422),
        (b'{"seeds": [1], "label": 1, "psi": 1e999}', 422),
        (b'{"seeds": [1], "label": NaN}', 422),
        (b'{"seeds": "1", "label": 1}', 422),
        (b'{"seeds": [true], "label": 1}', 422),
        (b'{"seeds": [1], "label": 1, "moves": {"class-7": Infinity}}', 422),
        (b'{"seeds": [1], "label": 1, "mix": {"seeds": [1], "layers": "../.."}}', 422),
        (json.dumps({"seeds": list(range(11_000)), "label": 1}).encode(), 422),
        (json.dumps({"seeds": [1, 2], "label": 1, "walk": {"frames": 10**9}}).encode(), 422),
    ],
    ids=range(16),
)
def test_a_bad_body_is_refused(client: httpx.Client, body: bytes, status: int) -> None:
    answer = client.post(IMAGES, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 2000


def test_methods_and_addresses_that_are_not_there(client: httpx.Client) -> None:
    for method, path, status in (
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("DELETE", "/v1/models/digits", 405),
        ("GET", IMAGES, 405),
        ("PUT", "/v2/models/digits/infer", 405),
        ("GET", "/v1/models/digits/image/../../../x", 404),
    ):
        assert client.request(method, path).status_code == status, path


def test_a_body_of_100_megabytes_is_refused_before_it_comes(server: Server, client: httpx.Client) -> None:
    with connection(server) as opened:
        head = (
            f"POST {IMAGES} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n"
        )
        opened.sendall(head.encode())
        assert opened.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unknown_length_is_read_no_further_than_allowed(server: Server) -> None:
    before = resident(server)
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with connection(server) as opened:
        head = (
            f"POST {IMAGES} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        opened.sendall(head.encode())
        try:
            for _ in range(1600):  # 100 MB
                opened.sendall(chunk)
                sent += len(chunk)
            opened.sendall(b"0\r\n\r\n")
        except OSError:  # it hung up
            pass
    assert sent < 80 << 20, "it took all of it"
    assert resident(server) - before < 60 << 20


def resident(server: Server) -> int:
    """Bytes of memory that the server uses."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize(
    "garbage",
    [b"\0" * 1000, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"A" * 200_000],
    ids=["zeros", "no address", "TLS", "long"],
)
def test_what_is_no_http_gets_a_400(server: Server, garbage: bytes) -> None:
    with connection(server) as opened:
        try:
            opened.sendall(garbage + b"\r\n\r\n")
            answer = answer_of(opened)
        except ConnectionError:
            return
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_encoded_bodies_are_refused(client: httpx.Client) -> None:
    answer = client.post(IMAGES, content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


# ------------------------------------------------------------------------------------------------ slow and half open


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits a second for whatever it waits for."""
    settings = ("--read-timeout", "1", "--write-timeout", "1", "--most-connections", "20", "--most-pictures", "256")
    with served(tmp_path_factory.mktemp("impatient"), DIGITS, *settings) as running:
        yield running
        assert not running.troubles()


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHos"], ids=["nothing", "half a head"])
def test_headers_that_do_not_come_close_the_connection(impatient: Server, start: bytes) -> None:
    with connection(impatient) as opened:
        begin = time.monotonic()
        opened.sendall(start)
        with suppress(ConnectionResetError):
            assert answer_of(opened) == b""
        assert 0.5 < time.monotonic() - begin < 10


def test_headers_letter_by_letter_close_the_connection(impatient: Server) -> None:
    with connection(impatient) as opened:
        begin = time.monotonic()
        try:
            for letter in b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 200:
                opened.sendall(bytes([letter]))
                time.sleep(0.1)
        except OSError:
            pass
        assert time.monotonic() - begin < 10


def test_a_slow_head_after_an_answer_closes_the_connection_too(impatient: Server) -> None:
    with connection(impatient) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok\n"):
            answer += opened.recv(1000)
        opened.sendall(b"GET /hea")
        begin = time.monotonic()
        with suppress(ConnectionResetError):
            assert answer_of(opened) == b""
        assert time.monotonic() - begin < 4  # less than the time that a kept connection may be idle


def test_a_body_that_does_not_come_is_given_up(impatient: Server) -> None:
    with connection(impatient) as opened:
        head = f"{POST}Content-Length: 50\r\n\r\n{{"
        opened.sendall(head.encode())
        answer = answer_of(opened)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_half_open_connections_do_not_use_up_the_server(impatient: Server) -> None:
    opened = [socket.create_connection(("127.0.0.1", impatient.port), timeout=30) for _ in range(40)]
    try:
        with impatient.client() as client:

            def answers() -> bool:
                try:
                    return client.get("/healthz").status_code == 200
                except httpx.TransportError:
                    return False

            wait_for(answers, 15)
    finally:
        for one in opened:
            one.close()


def test_an_answer_that_nobody_reads_is_dropped(impatient: Server) -> None:
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.settimeout(30)
        opened.connect(("127.0.0.1", impatient.port))
        for _ in range(400):  # 12 MB of answers, more than the kernel keeps
            opened.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: open_connections(impatient) == 0, 20)


def open_connections(server: Server) -> int:
    """TCP connections of the server that are established."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    local = f"0100007F:{server.port:04X}"
    return sum(line.split()[1] == local and line.split()[3] == "01" for line in lines)


def test_who_leaves_costs_nothing_more(server: Server, client: httpx.Client) -> None:
    body = json.dumps({"seeds": list(range(32)), "label": 1, "format": "raw"}).encode()
    head = f"{POST}Content-Length: {len(body)}\r\n\r\n"
    for _ in range(30):
        with connection(server) as opened:
            opened.sendall(head.encode() + body)
    picture = client.post(IMAGES, content=body, headers={"Content-Type": "application/json"})
    assert np.frombuffer(picture.content, np.uint8).size == 32 * 32 * 32
    wait_for(lambda: b'ganexport_queue_pictures{model="digits"} 0.0' in client.get("/metrics").content, 10)


def test_a_picture_s_request_with_a_body_that_does_not_come(impatient: Server) -> None:
    """It draws without the body, or gives it up; in no case does it wait for ever."""
    with connection(impatient) as opened:
        opened.sendall(f"GET {IMAGE}?label=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n".encode())
        assert opened.recv(1000).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 408 "))
