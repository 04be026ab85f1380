"""Pictures over HTTP are the library's, and can be cached, mixed and walked through."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganexport.bundle import Bundle
from ganexport.latents import mix_styles, slerp, z_from_seeds
from ganexport.picture_origin import draw_again, read_origin

IMAGE = "/v1/models/digits/image"
IMAGES = "/v1/models/digits/images"


def opened(data: bytes) -> NDArray[np.uint8]:
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def close(a: NDArray[np.uint8], b: NDArray[np.uint8], levels: int = 1) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(int) - b.astype(int)).max()) <= levels


def test_the_models_are_listed(client: httpx.Client, digits: Bundle) -> None:
    found = client.get("/v1/models").json()["models"]
    assert [one["name"] for one in found] == ["digits", "tiny-dcgan"]
    one = client.get("/v1/models/digits").json()
    assert one == found[0]
    assert (one["digest"], one["resolution"], one["channels"]) == (digits.digest, 32, 1)
    assert one["labels"] == [str(i) for i in range(10)]
    assert found[1]["labels"] is None
    assert found[1]["psi"] is None


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
def test_a_picture_is_the_library_s(client: httpx.Client, digits: Bundle, tmp_path: Path, kind: str) -> None:
    answer = client.get(IMAGE, params={"seed": 42, "label": "3", "psi": 0.7, "format": kind})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"image/{kind}"
    picture = opened(answer.content)
    wanted = digits.generate([42], 3, 0.7)[0]
    if kind == "webp":  # which has no grey pictures
        assert (picture == picture[:, :, :1]).all()
        picture = picture[:, :, :1]
    assert close(picture, wanted, 16 if kind == "jpeg" else 1)
    file = tmp_path / f"picture.{kind}"
    file.write_bytes(answer.content)
    assert close(draw_again(digits, read_origin(file)), wanted)


def test_each_parameter_matters(client: httpx.Client, digits: Bundle) -> None:
    given = {"seed": 5, "label": "8", "psi": 0.5}
    for more, wanted in (
        ({"cutoff": 3}, digits.generate([5], 8, 0.5, cutoff=3)),
        ({"noise": "none"}, digits.generate([5], 8, 0.5, noise="none")),
        ({"psi": 0}, digits.generate([5], 8, 0.0)),
        ({"seed": 2**32 - 1}, digits.generate([2**32 - 1], 8, 0.5)),
    ):
        picture = opened(client.get(IMAGE, params={**given, **more}).content)
        assert close(picture, wanted[0]), more
        assert not close(picture, digits.generate([5], 8, 0.5)[0]), f"{more} changed nothing"


def test_a_picture_can_be_cached(client: httpx.Client) -> None:
    first = client.get(IMAGE, params={"seed": 1, "label": 2})
    etag = first.headers["etag"]
    assert "max-age" in first.headers["cache-control"]
    for tags in (etag, f'"other", W/{etag}', "*"):
        again = client.get(IMAGE, params={"seed": 1, "label": 2}, headers={"If-None-Match": tags})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get(IMAGE, params={"seed": 1, "label": 2}, headers={"If-None-Match": '"other"'}).status_code == 200
    # What is said with other words is the same picture; what is another picture has another tag.
    assert client.get(IMAGE, params={"seed": 1, "label": "2", "psi": 1.0}).headers["etag"] == etag
    for more in ({"seed": 2}, {"label": 3}, {"psi": 0.9}, {"cutoff": 1}, {"noise": "none"}, {"format": "webp"}):
        assert client.get(IMAGE, params={"seed": 1, "label": 2, **more}).headers["etag"] != etag


def test_a_family_without_classes_or_w(client: httpx.Client, dcgan: Bundle) -> None:
    picture = opened(client.get("/v1/models/tiny-dcgan/image", params={"seed": 7}).content)
    assert close(picture, dcgan.generate([7])[0])
    refused = client.get("/v1/models/tiny-dcgan/image", params={"seed": 7, "psi": 0.5})
    assert refused.status_code == 422
    assert "no w space" in refused.json()["detail"]
    walked = {"seeds": [1, 2], "walk": {"frames": 2}, "format": "raw"}
    answer = client.post("/v1/models/tiny-dcgan/images", json=walked)
    z = z_from_seeds([1, 2], dcgan.manifest.spec.z_dim)
    assert close(raw(answer)[1], dcgan.draw(slerp(z[:1], z[1:], 0.5))[0])


def raw(answer: httpx.Response) -> NDArray[np.uint8]:
    assert answer.status_code == 200, answer.text
    shape = [int(size) for size in answer.headers["ganexport-shape"].split(",")]
    return np.frombuffer(answer.content, np.uint8).reshape(shape)


def test_several_pictures_in_each_form(client: httpx.Client, digits: Bundle) -> None:
    given = {"seeds": [3, 1, 2], "label": [7, "8", 9], "psi": 0.8}
    wanted = digits.generate([3, 1, 2], [7, 8, 9], 0.8)
    assert close(raw(client.post(IMAGES, json={**given, "format": "raw"})), wanted)
    archive = np.load(io.BytesIO(client.post(IMAGES, json={**given, "format": "npz"}).content), allow_pickle=False)
    assert close(archive["images"], wanted)
    assert (archive["seeds"].tolist(), archive["labels"].tolist()) == ([3, 1, 2], [7, 8, 9])
    found = client.post(IMAGES, json=given).json()
    assert (found["digest"], found["type"]) == (digits.digest, "image/png")
    assert [(one["seed"], one["label"]) for one in found["pictures"]] == [(3, 7), (1, 8), (2, 9)]
    for one, picture in zip(found["pictures"], wanted, strict=True):
        assert close(opened(b64decode(one["data"])), picture)


def test_mixing(client: httpx.Client, digits: Bundle) -> None:
    given = {"seeds": [1, 2], "label": 4, "mix": {"seeds": [9], "layers": "0-2"}, "format": "raw"}
    a, b = digits.latents([1, 2], 4), digits.latents([9], 4)
    wanted = digits.draw(mix_styles(a, b, (0, 3)))
    assert close(raw(client.post(IMAGES, json=given)), wanted)
    assert not close(wanted, digits.draw(a), 8)


def test_moves(client: httpx.Client, digits: Bundle) -> None:
    given = {"seeds": [1, 2], "label": 4, "moves": {"class-7": 2.0}, "format": "raw"}
    moved = raw(client.post(IMAGES, json=given))
    assert not close(moved, digits.generate([1, 2], 4), 8)
    unmoved = raw(client.post(IMAGES, json={**given, "moves": {"class-7": 0.0}}))
    assert close(unmoved, digits.generate([1, 2], 4))


def test_a_walk_in_z(client: httpx.Client, digits: Bundle) -> None:
    given = {"seeds": [1, 2], "label": 4, "walk": {"frames": 4, "loop": True}, "format": "raw"}
    walked = raw(client.post(IMAGES, json=given))
    assert len(walked) == 8
    z = z_from_seeds([1, 2], 64)
    for i, t in ((0, 0.0), (1, 0.25), (4, 1.0)):
        wanted = digits.draw(digits.latents([], 4, z=slerp(z[:1], z[1:], t)))
        assert close(walked[i], wanted[0])


def test_a_walk_from_class_to_class_is_straight_in_w(client: httpx.Client, digits: Bundle) -> None:
    given = {"seeds": [1, 2], "label": [4, 5], "walk": {"frames": 2}, "format": "raw"}
    walked = raw(client.post(IMAGES, json=given))
    ws = digits.latents([1, 2], [4, 5])
    assert close(walked, digits.draw(np.stack([ws[0], (ws[0] + ws[1]) / 2, ws[1]])))


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"seeds": [1] * 33, "label": 1}, "32 pictures at most"),
        ({"seeds": [1, 2], "label": 1, "walk": {"frames": 32}}, "32 pictures at most"),
        ({"seeds": [1, 2]}, "10 classes"),
        ({"seeds": [1, 2], "label": [1]}, "1 labels for 2 seeds"),
        ({"seeds": [1], "label": "cat"}, "'cat' is unknown"),
        ({"seeds": [1, 2], "label": 1, "mix": {"seeds": [1, 2, 3]}}, "3 seeds to mix with"),
        ({"seeds": [1], "label": 1, "mix": {"seeds": [1], "layers": "9-12"}}, "0-7"),
        ({"seeds": [1], "label": 1, "moves": {"smile": 1}}, "no direction 'smile'"),
        ({"seeds": [], "label": 1}, "body.seeds"),
        ({"seeds": [2**32], "label": 1}, "body.seeds.0"),
        ({"seeds": [1], "label": 1, "sedes": [2]}, "body.sedes"),
        ({"seeds": [1], "label": 1, "noise": "random"}, "made for noise const or none"),
    ],
)
def test_what_cannot_be_drawn_is_refused(client: httpx.Client, wanted: dict[str, object], says: str) -> None:
    answer = client.post(IMAGES, json=wanted)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
