"""A vendor's own description of its API, and what it says about one exchange.

    DESCRIPTION = Description("hubspot", ("contacts", "deals"), EXCEPTIONS)
    assert DESCRIPTION.problems(entry) == []

An entry is one of a sandbox's ledger, or has the same members: method, path, query (name: values),
headers (names in small letters), body, status, answer, answer_type. Ways in which the real API is
known to differ from its description are `Difference`s, each with its reason, and nowhere else.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests.openapi.tally import CHECKED, OPENAPI

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_HOST = "http://127.0.0.1"
_FIRST_ERROR_STATUS = 400

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the API is known to differ from its description."""

    route: str
    """Regular expression over the whole of `METHOD path status`."""
    problem: str
    """Regular expression over the beginning of the problem that would be reported."""
    reason: str


@dataclass(frozen=True, slots=True)
class _Path:
    pattern: re.Pattern[str]
    statuses: Mapping[str, set[str]]
    """Of each method."""
    file: Path


class Description:
    """What one vendor says about its API, in one folder of OpenAPI files."""

    def __init__(
        self,
        crm: str,
        files: Sequence[str],
        differences: Sequence[Difference] = (),
        *,
        spelled: Callable[[str], str] = str,
    ) -> None:
        """Use the files named (without `.json`), which are read when first needed.

        Of two files that describe one path the earlier one is believed. `spelled` turns a path
        into the spelling of the description.
        """
        self.crm = crm
        self._files = [OPENAPI / crm / f"{name}.json" for name in files]
        self._differences = differences
        self._spelled = spelled

    def problems(
        self, entry: Entry, *, check_request: bool = True, check_answer: bool = True
    ) -> list[str]:
        """Return what is wrong with an exchange, one line each, known differences left out.

        A path that is not described is a problem, unless it was refused and only its answer is
        looked at; a status that is not declared is none. An entry without a status has no answer.
        """
        method, path, status = entry["method"], self._spelled(entry["path"]), entry["status"]
        where = f"{method} {path} {status}"
        found = self._find(method, path)
        if found is None:
            refused = status is None or status >= _FIRST_ERROR_STATUS
            problems = ["not described"] if check_request or not refused else []
            return self._unexpected(where, problems)
        api, statuses = _api(found.file), found.statuses[method.lower()]
        request = _request(entry, path)
        problems = []
        if check_request:
            CHECKED[f"{self.crm} requests"] += 1
            problems += _problems("request", lambda: api.validate_request(request))
        if check_answer and status is not None and _declared(status, statuses):
            CHECKED[f"{self.crm} answers"] += 1
            answer = _response(entry)
            problems += _problems("answer", lambda: api.validate_response(request, answer))
        return self._unexpected(where, problems)

    # --- inside -----------------------------------------------------------------------------

    @functools.cached_property
    def _paths(self) -> list[_Path]:
        paths = [path for file in self._files for path in _described(file)]
        # A path without anything that varies is meant before one in which the same place varies.
        return sorted(paths, key=lambda path: path.pattern.pattern.count("[^/]+"))

    def _find(self, method: str, path: str) -> _Path | None:
        for described in self._paths:
            if described.pattern.fullmatch(path) and method.lower() in described.statuses:
                return described
        return None

    def _unexpected(self, where: str, problems: Sequence[str]) -> list[str]:
        return [
            f"{where}: {problem}"
            for problem in problems
            if not any(
                re.fullmatch(known.route, where) and re.match(known.problem, problem)
                for known in self._differences
            )
        ]


def _load(file: Path) -> dict[str, Any]:
    """Read a description; its server is ours, under the vendor's own path."""
    content: dict[str, Any] = json.loads(file.read_text())
    content["servers"] = [{"url": _HOST + urlsplit(s["url"]).path} for s in content["servers"]]
    for path in content["paths"].values():
        # Some paths have a server of their own, such as a host for OAuth: here it is ours too.
        path.pop("servers", None)
        for operation in path.values():
            if isinstance(operation, dict):
                operation.pop("servers", None)
    schemes = content.get("components", {}).get("securitySchemes", {})
    for name, scheme in schemes.items():
        # The library knows no OAuth; what travels is a header.
        if scheme.get("type") not in {"apiKey", "http"}:
            schemes[name] = {"type": "apiKey", "in": "header", "name": "Authorization"}
    return content


@functools.cache
def _api(file: Path) -> OpenAPI:
    # The address is what references to the files beside it are relative to.
    return OpenAPI.from_dict(_load(file), base_uri=file.as_uri())


def _described(file: Path) -> list[_Path]:
    content = _load(file)
    prefix = urlsplit(content["servers"][0]["url"]).path.rstrip("/")
    described = []
    for path, item in content["paths"].items():
        statuses = {
            method: set(operation["responses"])
            for method, operation in item.items()
            if isinstance(operation, dict) and "responses" in operation
        }
        parts = re.split(r"\{[^/{}]+\}", prefix + path)
        pattern = re.compile("[^/]+".join(re.escape(part) for part in parts))
        described.append(_Path(pattern, statuses, file))
    return described


def _request(entry: Entry, path: str) -> MockRequest:
    content_type = entry["headers"].get("content-type", JSON)
    return MockRequest(
        _HOST,
        entry["method"],
        path,
        args=entry["query"],
        headers=dict(entry["headers"]),
        data=_wire(entry["body"], content_type),
        content_type=content_type.partition(";")[0],
    )


def _response(entry: Entry) -> MockResponse:
    content_type = (entry["answer_type"] or JSON).partition(";")[0]
    body = _wire(entry["answer"], content_type) or b""
    return MockResponse(body, entry["status"], content_type=content_type)


def _wire(body: Any, content_type: str) -> bytes | None:
    if body is None:
        return None
    if content_type.startswith(FORM):
        return urlencode(body).encode()
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _declared(status: int, statuses: set[str]) -> bool:
    """Whether a status is described; `default` describes failures only."""
    if {str(status), f"{status // 100}XX"} & statuses:
        return True
    return status >= _FIRST_ERROR_STATUS and "default" in statuses


def _problems(part: str, check: Callable[[], object]) -> list[str]:
    try:
        check()
    except OpenAPIError as error:
        return [f"{part}: {reason}" for reason in _explained(error)]
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
