"""A server's beginning and end: drained by SIGTERM, its workers replaced, its page, its token."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support.bare_python import run_bare
from support.serving import Server, served, wait_for
from support.shipped import DIGITS

IMAGE = "/v1/models/digits/image"
IMAGES = "/v1/models/digits/images"
PROGRAM = (sys.executable, "-m", "ganexport", "serve")


def test_sigterm_drops_no_accepted_request(tmp_path: Path) -> None:
    """Requests that were sent before the signal are answered; then the server ends well."""
    with served(tmp_path, DIGITS) as server:
        outcomes = asyncio.run(stopped_under_load(server))
        assert server.process.wait(30) == 0
        assert outcomes["answered"] > 20
        assert outcomes["sent before the signal, not answered"] == 0, outcomes
        assert not server.troubles()


async def stopped_under_load(server: Server, clients: int = 16) -> Counter[str]:
    """What became of the requests of clients that go on until the server is gone."""
    outcomes: Counter[str] = Counter()
    stopping = asyncio.Event()
    signalled = float("inf")
    body = b'{"seeds": [1, 2, 3, 4, 5, 6, 7, 8], "label": 1, "format": "raw"}'
    head = f"POST {IMAGES} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body

    async def client() -> None:
        while not stopping.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(request)
                await writer.drain()
            except OSError:
                return  # the server listens no more
            sent = time.monotonic()
            try:
                answer = await reader.read()
            except OSError:
                answer = b""
            writer.close()
            whole = answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"") and len(answer) > 8 * 1024
            if whole:
                outcomes["answered"] += 1
            elif sent < signalled - 0.2:  # by then it was accepted
                outcomes["sent before the signal, not answered"] += 1
            else:
                outcomes["too late"] += 1

    async def stop() -> None:
        nonlocal signalled
        await asyncio.sleep(1.5)
        signalled = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(1.0)
        stopping.set()

    await asyncio.wait_for(asyncio.gather(stop(), *(client() for _ in range(clients))), 60)
    return outcomes


def test_a_drained_server_answers_but_says_that_it_is_not_ready(tmp_path: Path) -> None:
    with served(tmp_path, DIGITS, "--drain", "1.5") as server, server.client() as client:
        assert client.get("/v2/health/ready").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: client.get("/v2/health/ready").status_code == 503, 1)
        assert client.get("/healthz").status_code == 503
        assert client.get("/v2/health/live").status_code == 200
        assert client.get(IMAGE, params={"label": 1}).status_code == 200
        assert server.process.wait(30) == 0
        assert not server.troubles()


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with served(tmp_path, DIGITS, "--workers", "2") as server, server.client() as client:
        wait_for(lambda: len(server.events("ready")) == 2)
        before = client.get(IMAGE, params={"label": 1}).content
        first, second = children(server)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len(children(server)) == 2 and first not in children(server))
        wait_for(lambda: len(server.events("ready")) == 3)
        assert second in children(server)

        def drawn() -> bytes:
            with server.client() as another:
                return another.get(IMAGE, params={"label": 1}).content

        assert {drawn() for _ in range(10)} == {before}
        figures = client.get("/metrics").text
        count = re.search(r'ganexport_requests_total\{.*route="/v1/models/\{name\}/image".*\} (\d+)', figures)
        assert count is not None
        assert int(float(count[1])) == 11, "each worker must show the figures of all"
        processes = children(server)
        assert server.stop() == 0
        wait_for(lambda: not any(Path(f"/proc/{one}").exists() for one in processes))


def children(server: Server) -> list[int]:
    """Processes of the workers: those that listen and are no tracker of resources."""
    pids = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    found = []
    for pid in pids:
        with suppress(OSError):  # it ended meanwhile
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def test_a_token_is_wanted_by_all_but_the_health_checks(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open sesame\n")
    with served(tmp_path, DIGITS, "--token-file", tmp_path / "token") as server, server.client() as client:
        for path in ("/v1/models", IMAGE, "/metrics", "/openapi.json", "/nothing"):
            for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "open sesame"}):
                refused = client.get(path, headers=headers)
                assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        for path in ("/healthz", "/v2/health/live", "/v2/health/ready"):
            assert client.get(path).status_code == 200
        allowed = client.get(IMAGE, params={"label": 1}, headers={"Authorization": "Bearer open sesame"})
        assert allowed.status_code == 200
        assert allowed.headers["cache-control"].startswith("private")
        assert "sesame" not in server.log_file.read_text()
        assert (
            "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": "https://a.example"}).headers
        )


def test_the_page_and_other_origins_when_asked(tmp_path: Path) -> None:
    origin = "https://a.example"
    with served(tmp_path, DIGITS, "--demo", "--cors", origin) as server, server.client() as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert client.get("/models.json").json()["models"][0]["name"] == "digits"
        assert client.get("/models/digits/ganexport.json").status_code == 200
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        for path in (
            "/../pyproject.toml",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/models/..%2f..%2f..%2fetc/passwd",
            "/nothing",
        ):
            assert client.get(path).status_code == 404, path
        assert client.get(IMAGE, params={"label": 1}).status_code == 200
        allowed = client.get("/v1/models", headers={"Origin": origin})
        assert allowed.headers["access-control-allow-origin"] == origin
        other = client.get("/v1/models", headers={"Origin": "https://b.example"})
        assert "access-control-allow-origin" not in other.headers


def test_figures_and_log(server: Server, client: httpx.Client) -> None:
    number = "abc-123"
    answer = client.get(IMAGE, params={"seed": 77, "label": 1}, headers={"X-Request-ID": number})
    assert answer.headers["x-request-id"] == number
    wait_for(lambda: any(line.get("request_id") == number for line in server.log), 5)
    (line,) = [line for line in server.log if line.get("request_id") == number]
    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "GET", IMAGE, 200)
    assert line["bytes"] == len(answer.content)
    client.get("/made/up/1")
    figures = client.get("/metrics").text
    for name in ("requests_total", "request_seconds_bucket", "pictures_total", "run_seconds_sum", "queue_pictures"):
        assert f"ganexport_{name}" in figures
    assert "made/up" not in figures
    assert client.get("/healthz", headers={"X-Request-ID": b'x"\n{'.replace(b"\n", b" ")}).status_code == 200


def test_without_the_extra_it_says_how_to_get_it() -> None:
    program = """
from ganexport.errors import MissingExtraError
from ganexport.serve import create_app
try:
    create_app([])
except MissingExtraError as error:
    print(error)
import sys
from ganexport.cli import main
sys.argv = ["ganexport", "serve", "digits"]
main()
"""
    done = run_bare(program)
    says = 'a server needs fastapi: pip install "ganexport[serve]"'
    assert done.stdout == f"{says}\n", done.stderr
    assert done.returncode == 2
    assert 'pip install "ganexport[serve]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "no bundle"),
        ([DIGITS, DIGITS], "two are called 'digits'"),
        ([DIGITS, "--queue", "0"], "queue must be at least 1"),
        ([DIGITS, "--queue", "8"], "a queue of 8 pictures"),
        ([DIGITS, "--deadline", "0"], "deadline must be more than 0"),
        ([DIGITS, "--token-file", "nowhere"], "nowhere"),
        ([DIGITS, "--port", "99999"], "port 99999"),
    ],
)
def test_what_cannot_be_served(tmp_path: Path, arguments: list[str | Path], says: str) -> None:
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert says in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
