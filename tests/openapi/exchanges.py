"""Checks recorded exchanges with a CRM against the vendor's own description of its API.

`validate_exchange` takes one entry of a sandbox's ledger and returns what is wrong with the request
or the answer, one line each; an empty list is the proof. Ways in which the real API is known to
differ from its description are in `EXCEPTIONS`, each with its reason, and nowhere else.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from crmsync.sandbox.hubspot.wire import object_type, semantic_path

OPENAPI = Path(__file__).resolve().parents[3] / "shared" / "crm-apis" / "openapi"
"""The data is not part of this repository."""

_HOST = "http://127.0.0.1"
_FIRST_ERROR_STATUS = 400
_FILES = (
    "contacts",
    "companies",
    "deals",
    "associations_v4",
    "associations_v4_schema",
    "owners",
    "pipelines",
    "properties",
    "oauth",
)
_TYPED = re.compile(r"(/crm/v[34]/(?:objects|properties|pipelines|associations)/)([^/]+)")


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the API is known to differ from its description."""

    route: str
    """Regular expression over `METHOD path status`."""
    problem: str
    """Regular expression over the line that would be reported."""
    reason: str


EXCEPTIONS = (
    Difference(
        r"\w+ .*/associations/.* 20\d",
        r"answer: (toObjectId|results\.\d+\.(to\.\d+\.)?(toObjectId|fromObjectId)|fromObjectId)",
        "Ids of associated records are numbers on the wire; the description says string.",
    ),
    Difference(
        r".*/associations/.* 20\d",
        r"answer: .*label: None",
        "An unlabelled association has the label null; the description forbids null.",
    ),
    Difference(
        r"POST /crm/v4/associations/.* 207",
        r"answer: errors\.\d+\.subCategory: ",
        "The subcategory of a 207 entry is text; the description says object.",
    ),
    Difference(
        r"GET /crm/v3/owners/.* 200",
        r"answer: (results\.\d+\.)?userId: None",
        "A deactivated owner has the user id null; the description forbids null.",
    ),
    Difference(
        r"\w+ .* 429",
        r"answer: : 'category' is a required property",
        "A 429 has errorType and policyName in place of a category.",
    ),
    Difference(
        r"\w+ .* (423|477|5\d\d|400)",
        r"answer: : 'category' is a required property",
        "Failures outside the application, and JSON that cannot be read, have no category.",
    ),
    Difference(
        r"POST /oauth/v1/token 400",
        r"answer: : '(category|correlationId)' is a required property",
        "A refused token call has the members of RFC 6749 and a `status`, not the envelope.",
    ),
    Difference(
        r"\w+ .* (502|503|504|52\d)",
        r"answer: .*[Cc]ontent",
        "The network in front of the application answers in HTML.",
    ),
)


def available() -> bool:
    """Say whether the descriptions are at hand."""
    return (OPENAPI / "hubspot").is_dir()


def validate_exchange(entry: dict[str, Any]) -> list[str]:
    """Return what is wrong with one ledger entry, exceptions left out.

    A path the data does not describe is a problem; a status it does not declare is not. An entry
    without an answer has its request checked only; one without kept bodies cannot be checked.
    """
    path = described_path(entry["path"])
    found = _find(entry["method"], path)
    if found is None:
        return [f"{entry['method']} {path}: not described"]
    description, statuses = found
    request = _request(entry, path)
    problems = [f"request: {p}" for p in _problems(description.validate_request, request)]
    status = entry["status"]
    if entry["answer"] is not None and _declared(status, statuses):
        response = _response(entry)
        check = functools.partial(description.validate_response, request)
        problems += [f"answer: {p}" for p in _problems(check, response)]
    where = f"{entry['method']} {path} {status}"
    return [f"{where}: {problem}" for problem in problems if not _excepted(where, problem)]


def described_path(path: str) -> str:
    """Return the spelling of a path that the data describes: v3 or v4, types in the plural."""
    semantic = semantic_path(path)
    match = _TYPED.match(semantic)
    if match is not None:
        plural = object_type(match[2]) or match[2]
        semantic = match[1] + plural + semantic[match.end() :]
    return "/crm/v3/owners/" if semantic == "/crm/v3/owners" else semantic


# --- inside -------------------------------------------------------------------------------------


@functools.cache
def _descriptions() -> list[tuple[re.Pattern[str], dict[str, set[str]], OpenAPI]]:
    """Every described path, with the statuses of each method."""
    described = []
    for name in _FILES:
        spec = json.loads((OPENAPI / "hubspot" / f"{name}.json").read_text())
        spec["servers"] = [{"url": _HOST}]
        api = OpenAPI.from_dict(spec)
        for path, item in spec["paths"].items():
            statuses = {
                method: set(operation["responses"])
                for method, operation in item.items()
                if isinstance(operation, dict) and "responses" in operation
            }
            pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
            described.append((pattern, statuses, api))
    # A path without anything that varies is meant before one in which the same place varies.
    return sorted(described, key=lambda entry: entry[0].pattern.count("[^/]+"))


def _find(method: str, path: str) -> tuple[OpenAPI, set[str]] | None:
    for pattern, statuses, api in _descriptions():
        if pattern.fullmatch(path) and method.lower() in statuses:
            return api, statuses[method.lower()]
    return None


def _request(entry: dict[str, Any], path: str) -> MockRequest:
    content_type = entry["headers"].get("content-type", "application/json").partition(";")[0]
    headers = {"Authorization": entry["headers"].get("authorization", "")}
    return MockRequest(
        _HOST,
        entry["method"].lower(),
        path,
        args={name: values[-1] for name, values in entry["query"].items()},
        headers=headers,
        data=_wire(entry["body"], content_type),
        content_type=content_type,
    )


def _response(entry: dict[str, Any]) -> MockResponse:
    content_type = (entry["answer_type"] or "application/json").partition(";")[0]
    return MockResponse(
        _wire(entry["answer"], content_type) or b"", entry["status"], content_type=content_type
    )


def _wire(body: Any, content_type: str) -> bytes | None:
    if body is None:
        return None
    if content_type == "application/x-www-form-urlencoded":
        return urlencode(body).encode()
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _declared(status: int, statuses: set[str]) -> bool:
    """Whether a status is described; `default` describes failures only."""
    return str(status) in statuses or (status >= _FIRST_ERROR_STATUS and "default" in statuses)


def _problems(check: Any, message: Any) -> list[str]:
    try:
        check(message)
    except OpenAPIError as error:
        return _explained(error)
    return []


def _explained(error: BaseException) -> list[str]:
    """Return the innermost reasons of a failed check, each with its place in the body."""
    reasons = getattr(error, "schema_errors", None)
    if reasons:
        return [
            f"{'.'.join(str(part) for part in reason.absolute_path)}: {reason.message}"
            for reason in reasons
        ]
    if error.__cause__ is not None:
        return _explained(error.__cause__)
    return [f"{type(error).__name__}: {error}"]


def _excepted(where: str, problem: str) -> bool:
    return any(
        re.fullmatch(exception.route, where) and re.match(exception.problem, problem)
        for exception in EXCEPTIONS
    )
