"""Bodies and answers of the routes, as OpenAPI shows them.

For people and tools only: `identity.calls` reads the bodies, and takes more spellings than these.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from crmsync.api.problems import DESCRIBED


class Shape(BaseModel):
    """Names are in camelCase, as the tracking specification has them."""

    model_config = ConfigDict(alias_generator=to_camel)


class Call(Shape):
    """One call of the tracking specification; which parts count depends on its type."""

    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    message_id: str | None = Field(None, description="Makes a repeat harmless.")
    timestamp: str | float | None = Field(None, description="ISO 8601, or epoch (milli)seconds.")
    traits: dict[str, Any] = Field(default={}, description="identify, group; null unsets.")
    event: str | None = Field(None, description="track: what was done.")
    name: str | None = Field(None, description="page, screen.")
    properties: dict[str, Any] = Field(default={}, description="track, page, screen.")
    group_id: str | int | None = Field(None, description="group.")
    previous_id: str | int | None = Field(None, description="alias.")
    context: dict[str, Any] = {}


class BatchedCall(Call):
    """A call of a batch says what it is."""

    type: str


class Batch(Shape):
    """Calls to be taken in this order."""

    batch: list[BatchedCall] = Field(max_length=1000)
    sent_at: str | float | None = None


class Rejected(Shape):
    """A call that was not taken."""

    index: int = Field(description="Its place in the batch, from 0.")
    reason: str


class Noted(Shape):
    """Something about a call that was taken."""

    code: str
    message_id: str
    detail: str


class Report(Shape):
    """What became of the calls of one request."""

    success: bool = Field(description="Whether none was rejected.")
    taken: int
    repeated: int = Field(description="Taken before: changed nothing.")
    rejected: list[Rejected] = []
    differing: list[str] = Field(
        default=[], description="Message ids that came again with another body: the first stays."
    )
    notes: list[Noted] = []


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Nothing of it can be taken; not worth sending again.", **DESCRIBED},
    401: {"description": "No write key, or a wrong one.", **DESCRIBED},
    408: {"description": "The body did not arrive in time.", **DESCRIBED},
    413: {"description": "The body is too large.", **DESCRIBED},
    415: {"description": "The body is packed in a way that is not taken.", **DESCRIBED},
    503: {"description": "Cannot be made durable now: send it again later.", **DESCRIBED},
}


class Received(Shape):
    """What became of a delivery of a CRM's webhooks."""

    success: bool
    taken: int = Field(description="Events that are news; one that came before changed nothing.")


HOOK_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "It does not prove that it is from the CRM.", **DESCRIBED},
    404: {"description": "No connection of that name takes webhooks.", **DESCRIBED},
    **{status: REFUSALS[status] for status in (400, 408, 413, 503)},
}


def body_of(shape: type[Shape]) -> dict[str, Any]:
    """Return what OpenAPI says of a route whose body has this shape."""
    content = {"application/json": {"schema": shape.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def body_of_any_shape() -> dict[str, Any]:
    """Return what OpenAPI says of a route whose bodies are somebody else's."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}
