"""HubSpot's description of its API, and where the API is known to differ from it."""

from __future__ import annotations

import re

from crmsync.sandbox.hubspot.wire import object_type, semantic_path
from tests.openapi.described import Description, Difference

_FILES = (
    "contacts",
    "companies",
    "deals",
    "objects",
    "associations_v4",
    "associations_v4_schema",
    "owners",
    "pipelines",
    "properties",
    "oauth",
)
_TYPED = re.compile(r"(/crm/v[34]/(?:objects|properties|pipelines|associations)/)([^/]+)")

EXCEPTIONS = (
    Difference(
        r"GET /account-info/v3/details .*",
        r"not described",
        "The description of the account's details is not among the data.",
    ),
    Difference(
        r"GET /oauth/authorize .*",
        r"not described",
        "A page that people see in their browser is no part of the API.",
    ),
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


def described_path(path: str) -> str:
    """Return the spelling of a path that the data describes: v3 or v4, types in the plural."""
    semantic = semantic_path(path)
    match = _TYPED.match(semantic)
    if match is not None:
        plural = object_type(match[2]) or match[2]
        semantic = match[1] + plural + semantic[match.end() :]
    return "/crm/v3/owners/" if semantic == "/crm/v3/owners" else semantic


DESCRIPTION = Description("hubspot", _FILES, EXCEPTIONS, spelled=described_path)
