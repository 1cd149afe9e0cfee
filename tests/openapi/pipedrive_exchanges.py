"""Pipedrive's descriptions of its APIs, and where the APIs are known to differ from them."""

from __future__ import annotations

from tests.openapi.described import Description, Difference

_NULL = r"None (is not of type|for not nullable)"

EXCEPTIONS = (
    Difference(
        r"(GET|POST|PATCH) /api/v2/(persons|organizations|deals)(/.*)? 200",
        r"answer: data(\.\d+)?\.(last_name|org_id|person_id|picture_id|address|postal_address"
        rf"|birthday|job_title|notes|value|won_time|lost_time|expected_close_date): {_NULL}",
        "A value that is not set is null; the description says so of some only.",
    ),
    Difference(
        r"PUT /v1/(persons|deals)/\d+/merge 200",
        r"answer: data\.(last_name|org_id|person_id|won_time|lost_time|expected_close_date): "
        rf"{_NULL}",
        "The same in v1, which has the survivor of a merge.",
    ),
    Difference(
        r"(POST|PATCH) /api/v2/(persons|deals)(/\d+)? .*",
        rf"request: (org_id|person_id|value|expected_close_date): {_NULL}",
        "What is null when read is cleared with null; the description knows no way to clear it.",
    ),
    Difference(
        r"GET /api/v2/deals/search 200",
        r"answer: data\.items\.\d+\.item\.value: \S+ is not of type 'integer'",
        "The value of a deal is a number here too; the description says so of deals themselves.",
    ),
    Difference(
        r"GET /v1/(users/find|webhooks) 200",
        rf"answer: data: {_NULL}",
        "Integrators report that an empty list of v1 is null.",
    ),
    Difference(
        r"\w+ /api/v2/(persons|organizations|deals)(/.*)? 200",
        r"answer: data(\.\d+)?\.(address|postal_address)\.(country|admin_area_level_[12]|locality"
        rf"|sublocality|route|street_number|subpremise|postal_code): {_NULL}",
        "The parts of an address that were not given are null.",
    ),
    Difference(
        r"GET /api/v2/\w+(/search|/archived)? 200",
        rf"answer: additional_data\.next_cursor: {_NULL}",
        "The cursor of the last page is null; the description forbids null.",
    ),
    Difference(
        r"GET /api/v2/(persons|organizations)/search 200",
        rf"answer: data\.items\.\d+\.item\.(organization|address): {_NULL}",
        "Who has no organization or address is found all the same.",
    ),
)


def described_path(path: str) -> str:
    """Return the spelling of a path that the data describes: v1's shorter one, OAuth beside it."""
    if path.startswith("/oauth/"):
        return f"/v1{path}"
    return path.removeprefix("/api") if path.startswith("/api/v1/") else path


DESCRIPTION = Description("pipedrive", ("v1", "v2"), EXCEPTIONS, spelled=described_path)
