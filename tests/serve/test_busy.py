"""More than a server can take, over HTTP: 429 says when to come again, and nothing else goes wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
from support.load import load, post
from support.serving import served
from support.shipped import DIGITS


def request(n: int) -> bytes:
    seeds = list(range(n, n + 16))
    return post("/v1/models/digits/images", f'{{"seeds": {seeds}, "label": {n % 10}, "format": "raw"}}')


def test_too_many_are_told_to_come_again(tmp_path: Path) -> None:
    with served(tmp_path, DIGITS, "--queue", "16", "--most-pictures", "16") as server, server.client() as client:
        outcome = load(server.port, request, clients=24, seconds=2.0)
        assert set(outcome.statuses) == {200, 429}, outcome
        assert not server.troubles()
        refused = {line["status"] for line in server.events("request")}
        assert refused == {200, 429}
        figures = client.get("/metrics").text
        assert f'status="429"}} {float(outcome.statuses[429])}' in figures


def test_an_answer_of_429_is_a_problem_document(tmp_path: Path) -> None:
    with served(tmp_path, DIGITS, "--queue", "1", "--most-pictures", "1") as server:
        found: list[httpx.Response] = []

        async def many() -> None:
            async with httpx.AsyncClient(base_url=server.address, trust_env=False, timeout=60) as client:
                given = {"label": 1}
                asked = [client.get("/v1/models/digits/image", params={**given, "seed": i}) for i in range(40)]
                found.extend(await asyncio.gather(*asked))

        asyncio.run(many())
        refused = [answer for answer in found if answer.status_code == 429]
        assert refused
        assert {answer.status_code for answer in found} == {200, 429}
        for answer in refused:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"] == "application/problem+json"
            assert "come again later" in answer.json()["detail"]
