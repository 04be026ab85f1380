"""The Open Inference Protocol, as its own client speaks it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray
from support.serving import Server
from tritonclient.utils import InferenceServerException

from ganexport.bundle import Bundle
from ganexport.latents import one_hot, z_from_seeds

SEEDS, LABELS, PSIS = [3, 1, 4, 1], [1, 5, 9, 2], [1.0, 0.5, 0.0, 0.5]


@pytest.fixture(scope="module")
def protocol(server: Server) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(server.address.removeprefix("http://"))
    yield client
    client.close()


def tensors(binary: bool) -> list[triton.InferInput]:
    arrays = {
        "z": z_from_seeds(SEEDS, 64),
        "c": one_hot(LABELS, 10),
        "truncation_psi": np.asarray(PSIS, np.float32),
    }
    inputs = []
    for name, array in arrays.items():
        one = triton.InferInput(name, list(array.shape), "FP32")
        one.set_data_from_numpy(array, binary_data=binary)
        inputs.append(one)
    return inputs


def library(digits: Bundle) -> NDArray[np.uint8]:
    return np.concatenate([digits.generate([s], label, psi) for s, label, psi in zip(SEEDS, LABELS, PSIS, strict=True)])


def test_health_and_metadata(protocol: triton.InferenceServerClient, digits: Bundle) -> None:
    assert protocol.is_server_live()
    assert protocol.is_server_ready()
    assert protocol.is_model_ready("digits")
    assert protocol.is_model_ready("digits", "1")
    assert not protocol.is_model_ready("digits", "2")
    assert not protocol.is_model_ready("letters")
    assert protocol.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    found = protocol.get_model_metadata("digits")
    graph = digits.manifest.targets["onnx"].generator
    assert graph is not None
    for said, tensor in zip(found["inputs"], graph.inputs, strict=True):
        assert (said["name"], said["datatype"]) == (tensor.name, "FP32")
        assert said["shape"] == [-1 if size == "N" else size for size in tensor.shape]
    (said,), (output,) = found["outputs"], graph.outputs
    assert (said["name"], said["datatype"]) == (output.name, "UINT8")
    assert said["shape"] == [-1 if size == "N" else size for size in output.shape]


@pytest.mark.parametrize("sent", [True, False], ids=["binary in", "JSON in"])
@pytest.mark.parametrize("answered", [True, False], ids=["binary out", "JSON out"])
def test_the_pictures_are_the_library_s(
    protocol: triton.InferenceServerClient, digits: Bundle, sent: bool, answered: bool
) -> None:
    outputs = [triton.InferRequestedOutput("images", binary_data=answered)]
    result = protocol.infer("digits", tensors(sent), outputs=outputs, request_id="seven")
    images = result.as_numpy("images")
    assert images.dtype == np.uint8
    assert np.abs(images.astype(int) - library(digits)).max() <= 1
    assert result.get_response()["id"] == "seven"


def test_without_naming_the_output(protocol: triton.InferenceServerClient, digits: Bundle) -> None:
    images = protocol.infer("digits", tensors(True), model_version="1").as_numpy("images")
    assert np.abs(images.astype(int) - library(digits)).max() <= 1


def test_a_family_without_classes(protocol: triton.InferenceServerClient, dcgan: Bundle) -> None:
    z = z_from_seeds([5, 6], dcgan.manifest.spec.z_dim)
    one = triton.InferInput("z", list(z.shape), "FP32")
    one.set_data_from_numpy(z)
    images = protocol.infer("tiny-dcgan", [one]).as_numpy("images")
    assert np.abs(images.astype(int) - dcgan.generate([5, 6])).max() <= 1


def test_the_client_is_told_what_is_wrong(protocol: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="the model takes z, c, truncation_psi; found z"):
        protocol.infer("digits", tensors(True)[:1])
    with pytest.raises(InferenceServerException, match="no output 'sound'"):
        protocol.infer("digits", tensors(True), outputs=[triton.InferRequestedOutput("sound")])
    with pytest.raises(InferenceServerException, match="no model 'letters'"):
        protocol.infer("letters", tensors(True))


def infer(client: httpx.Client, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else None
    more = {} if content is not None else {"json": body}
    return client.post("/v2/models/digits/infer", content=content, headers=headers, **more)  # type: ignore[arg-type]


def request(**changed: object) -> dict[str, object]:
    z = {"name": "z", "shape": [1, 64], "datatype": "FP32", "data": [0.0] * 64}
    c = {"name": "c", "shape": [1, 10], "datatype": "FP32", "data": [[1.0, *[0.0] * 9]]}
    psi = {"name": "truncation_psi", "shape": [1], "datatype": "FP32", "data": [1.0]}
    return {"inputs": [{**z, **changed}, c, psi]}


def test_a_plain_request(client: httpx.Client) -> None:
    answer = infer(client, request())
    assert answer.status_code == 200
    (output,) = answer.json()["outputs"]
    assert (output["shape"], output["datatype"], len(output["data"])) == ([1, 32, 32, 1], "UINT8", 1024)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no inference request"),
        (b"{", "no inference request"),
        (b"[" * 100_000, "no inference request"),
        (b'{"inputs": 7}', "no inference request"),
        (b"\xff\xfe", "no inference request"),
        ({"inputs": []}, "the model takes"),
        (request(datatype="BYTES"), "must be FP32"),
        (request(shape=[1, 63]), "64 numbers for the shape [1, 63]"),
        (request(shape=[64]), "z must be"),
        (request(shape=[0, 64], data=[]), "1 to 32 pictures"),
        (request(shape=[33, 64], data=[0.0] * 33 * 64), "1 to 32 pictures"),
        (request(data=["0"] * 64), "must be numbers"),
        (request(data=[True] * 64), "must be numbers"),
        (request(data=[[0.0], [0.0, 1.0]]), "must be numbers"),
        (request(data=None), "neither data nor binary_data_size"),
        (request(data=[1e39] * 64), "not finite"),
        (request(data=[10**400] * 64), ""),
        (request(name="z" * 10_000), "no inference request"),
        (request(name="c"), "given twice"),
        (request(parameters={"shared_memory_region": "/dev/shm/x"}), "shares no memory"),
        (request(parameters={"binary_data_size": 256}), "bytes by its shape"),
        (request(parameters={"binary_data_size": -4}), "bytes by its shape"),
    ],
)
def test_a_malformed_request_is_refused(client: httpx.Client, body: object, says: str) -> None:
    answer = infer(client, body)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]
    assert len(answer.json()["error"]) < 1000


def test_not_a_number_is_refused(client: httpx.Client) -> None:
    for word in ("NaN", "Infinity", "-Infinity", "1e999"):
        body = b'{"inputs": [{"name": "z", "shape": [1, 64], "datatype": "FP32", "data": [%s]}]}'
        answer = infer(client, body % ",".join([word] * 64).encode())
        assert answer.status_code == 400
    answer = infer(client, request(data=[0.0] * 64) | {"parameters": {}})
    assert answer.status_code == 200


@pytest.mark.parametrize("length", ["-1", "x", "99999999999", "1e2", "999999"])
def test_a_wrong_length_of_the_header_is_refused(client: httpx.Client, length: str) -> None:
    answer = infer(client, b"{}", **{"Inference-Header-Content-Length": length})
    assert answer.status_code in (400, 422)
    assert "error" in answer.json()
