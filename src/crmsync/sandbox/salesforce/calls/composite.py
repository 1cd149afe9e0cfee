"""Several calls in one, each able to use what earlier ones answered; one toward the limit."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from crmsync.sandbox.http import JSON, Answer, Request
from crmsync.sandbox.salesforce import errors
from crmsync.sandbox.salesforce.calls.call import Call, Json, objects_of
from crmsync.sandbox.salesforce.errors import Refusal

MAX_CALLS = 25
MAX_LARGE_CALLS = 5
_FIRST_ERROR = 400
_LARGE = re.compile(r"/services/data/v[\d.]+/(?:composite/sobjects|query|queryAll)(?:[/?]|$)")
_NESTED = re.compile(r"/services/data/v[\d.]+/composite(?:/(?!sobjects)|/?$)")
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_REFERENCE_ID = re.compile(r"[A-Za-z]\w*", re.ASCII)


def composite(call: Call) -> Answer:
    """Carry out up to 25 calls, in order."""
    subcalls = objects_of(call.body, "compositeRequest")
    _check(subcalls)
    answers: dict[str, Any] = {}
    results: list[Json] = []
    for subcall in subcalls:
        answer = _one(call, subcall, answers)
        results.append(_result(subcall, answer))
        if answer.status < _FIRST_ERROR:
            answers[subcall["referenceId"]] = results[-1]["body"]
        elif call.body.get("allOrNone") is True:
            call.transaction.roll_back()
            return Answer.of(200, {"compositeResponse": _all_rolled_back(subcalls, results)})
    return Answer.of(200, {"compositeResponse": results})


def _check(subcalls: list[Json]) -> None:
    if len(subcalls) > MAX_CALLS:
        # Which code that is, is not confirmed; nor that of the next.
        text = f"The maximum number of subrequests is {MAX_CALLS}, found {len(subcalls)}"
        raise Refusal("LIMIT_EXCEEDED", text)
    large = sum(bool(_LARGE.match(str(subcall.get("url")))) for subcall in subcalls)
    if large > MAX_LARGE_CALLS:
        text = f"At most {MAX_LARGE_CALLS} subrequests can be collections or queries, found {large}"
        raise Refusal("LIMIT_EXCEEDED", text)
    seen = set()
    for subcall in subcalls:
        reference_id = subcall.get("referenceId")
        if not isinstance(reference_id, str) or not _REFERENCE_ID.fullmatch(reference_id):
            raise errors.malformed_body("referenceId: missing, or not a name")
        if reference_id in seen:
            raise errors.malformed_body(f"referenceId: {reference_id} is given twice")
        seen.add(reference_id)
        for member in ("method", "url"):
            if not isinstance(subcall.get(member), str):
                raise errors.malformed_body(f"{member}: missing in {reference_id}")


def _one(call: Call, subcall: Json, answers: Json) -> Answer:
    try:
        url = _filled(subcall["url"], answers)
        body = _filled(subcall.get("body"), answers)
    except Refusal as refusal:
        return Answer.of(_FIRST_ERROR, refusal.body())
    if _NESTED.match(url) or not url.startswith("/services/data/"):
        return Answer.of(_FIRST_ERROR, errors.malformed_body(f"url: not allowed: {url}").body())
    path, _, query = url.partition("?")
    given = subcall.get("httpHeaders") or {}
    inside = Request(
        method=subcall["method"].upper(),
        path=unquote(path),
        query=parse_qs(query, keep_blank_values=True),
        headers=call.request.headers | {name.lower(): str(v) for name, v in given.items()},
        body=b"" if body is None else orjson.dumps(body),
        keep_alive=True,
        target=url,
    )
    return call.dispatch(inside, call.transaction)


def _result(subcall: Json, answer: Answer) -> Json:
    body = orjson.loads(answer.body) if answer.body and answer.content_type == JSON else None
    return {
        "body": body,
        "httpHeaders": {},
        "httpStatusCode": answer.status,
        "referenceId": subcall["referenceId"],
    }


def _all_rolled_back(subcalls: list[Json], results: list[Json]) -> list[Json]:
    text = "The transaction was rolled back since another operation in the same transaction failed."
    halted = Answer.of(_FIRST_ERROR, Refusal("PROCESSING_HALTED", text).body())
    failed = len(results) - 1
    return [
        results[place] if place == failed else _result(subcall, halted)
        for place, subcall in enumerate(subcalls)
    ]


def _filled(value: Any, answers: Json) -> Any:  # noqa: ANN401 - whatever JSON can say
    """Return a value with the references in its texts replaced by what they refer to."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _referred(match, answers), value)
    if isinstance(value, list):
        return [_filled(item, answers) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item, answers) for name, item in value.items()}
    return value


def _referred(match: re.Match[str], answers: Json) -> str:
    found = answers.get(match[1])
    for name, place in _STEP.findall(match[2]):
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and place and int(place) < len(found):
            found = found[int(place)]
        else:
            found = None
    if found is None or isinstance(found, dict | list):
        text = f"Invalid reference specified. No value for {match[2][1:]} found in {match[1]}"
        raise Refusal("PROCESSING_HALTED", text)
    return str(found)
