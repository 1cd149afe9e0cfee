"""Every error of the API is told in one shape, which OpenAPI describes."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest
import requests
from fastapi import FastAPI
from openapi_spec_validator import validate

from crmsync.api.app import make_app
from crmsync.api.problems import MEDIA_TYPE, Problem, handle_problems
from tests.served_api import WRITE_KEY, Api, served
from tests.unit.api.test_events import ANN, batch, take_away


def assert_problem(answer: requests.Response, status: int) -> dict[str, Any]:
    """Check an answer's shape; return its body."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    content: dict[str, Any] = answer.json()
    told = Problem.model_validate(content)
    assert (told.type, told.status, told.success) == ("about:blank", status, False)
    assert told.title == HTTPStatus(status).phrase
    assert told.detail
    return content


def test_an_address_that_is_none_is_a_problem(api):
    """The framework's own 404 is told as ours are."""
    assert_problem(api.get("/nowhere"), 404)
    assert_problem(api.post("/v1/a/b", ANN), 404)
    assert_problem(api.post("/v1/identity", ANN), 404)


@pytest.mark.parametrize("path", ["/v1/identify", "/v1/batch"])
def test_a_method_that_is_none_is_a_problem(api, path):
    """And names the method to use."""
    answer = api.get(path)
    assert_problem(answer, 405)
    assert answer.headers["Allow"] == "POST"


def test_a_wrong_key_is_a_problem(api):
    """As is every refusal before the body is read."""
    assert_problem(api.post("/v1/identify", ANN, key="wrong"), 401)


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_a_body_packed_otherwise_is_a_problem(api, encoding):
    """The answer says how a body may be packed."""
    answer = api.post("/v1/identify", ANN, headers={"Content-Encoding": encoding})
    assert_problem(answer, 415)
    assert answer.headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["identity", ""])
def test_a_plain_body_may_say_so(api, encoding):
    """`identity` is no packing; nor is an empty header, which some proxies leave."""
    answer = api.post("/v1/identify", ANN, headers={"Content-Encoding": encoding})
    assert answer.status_code == 200


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "x"])
def test_any_type_of_content_is_read_as_json(api, kind):
    """Browsers' beacons and curl say anything but JSON, and client libraries rely on it."""
    data = json.dumps(ANN).encode()
    answer = api.post("/v1/identify", data=data, headers={"Content-Type": kind})
    assert answer.status_code == 200


def test_what_is_too_large_or_no_json_is_a_problem(api):
    """Both are for the sender to mend."""
    assert_problem(api.post("/v1/identify", data=b"x" * 1_100_000), 413)
    assert_problem(api.post("/v1/identify", data=b"{"), 400)


def test_a_batch_of_which_nothing_is_taken_is_a_problem(api):
    """It lists each call with its reason, as a batch that is taken in part does."""
    content = assert_problem(api.post("/v1/batch", batch({"userId": 7.5}, {})), 400)
    assert (content["taken"], content["repeated"]) == (0, 0)
    assert [one["index"] for one in content["rejected"]] == [0, 1]


def test_a_store_that_is_away_is_a_problem(api, works, monkeypatch):
    """For the sender, and for who looks after the process."""
    monkeypatch.setattr("crmsync.store.database.PATIENCE_SECONDS", 0.0)
    take_away(works)
    assert_problem(api.post("/v1/identify", ANN), 503)
    assert_problem(api.get("/healthz"), 503)


@pytest.fixture
def odd() -> FastAPI:
    """An application with routes that the API does not have yet."""
    app = FastAPI()
    handle_problems(app)

    @app.get("/numbers/{number}")
    async def number(number: int) -> int:
        if number == 0:
            raise ZeroDivisionError("ann@acme.example")
        return 1 // number

    return app


def test_a_parameter_that_does_not_fit_is_a_problem(odd):
    """It is named; its value is not repeated."""
    with served(odd) as url:
        answer = Api(url).get("/numbers/ann@acme.example")
    content = assert_problem(answer, 422)
    assert [one["at"] for one in content["errors"]] == ["path.number"]
    assert "ann@" not in answer.text


def test_a_fault_of_ours_is_a_problem_and_tells_nothing(odd, caplog):
    """The log has it; who asked gets neither its kind nor its words."""
    with served(odd) as url:
        answer = Api(url).get("/numbers/0")
    assert_problem(answer, 500)
    assert "ann@" not in answer.text
    assert "ZeroDivision" not in answer.text


def test_openapi_describes_every_refusal(works):
    """The document is valid, and each route of the API tells its errors in one shape."""
    document = make_app(works, WRITE_KEY).openapi()
    validate(document)
    own = {"/v1/batch": {"415"}, "/v1/{kind}": {"415"}, "/hooks/{connection}": {"404"}}
    assert set(document["paths"]) == set(own)
    for name, path in document["paths"].items():
        answers = path["post"]["responses"]
        assert answers.keys() >= {"400", "401", "408", "413", "503", "default"} | own[name]
        shapes = {
            (kind, described["schema"]["title"])
            for status, answer in answers.items()
            if status != "200"
            for kind, described in answer["content"].items()
        }
        assert shapes == {(MEDIA_TYPE, "Problem")}
