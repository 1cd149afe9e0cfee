"""The keys that bodies of each object type may have, and what Pipedrive makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox.pipedrive import errors, values
from crmsync.sandbox.pipedrive.errors import Invalid
from crmsync.sandbox.pipedrive.fields import Field
from crmsync.sandbox.pipedrive.values import Check, Exists, or_null, reference, text

CONTACT_SYNC: dict[str, Any] = {
    "postal_address": None, "notes": None, "im": [], "birthday": None, "job_title": None,
}  # fmt: skip
"""Keys that persons have only in companies with contact sync, as long as nothing is in them."""

Values = dict[str, Any]

_KINDS = {"enum": "single option", "set": "multiple options"}
"""What refusals call a type, where that is not its name."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What may be said about records of one type."""

    title: str
    """The key without which nothing is created."""
    keys: Mapping[str, Check]
    create_only: frozenset[str] = frozenset()
    update_refused: frozenset[str] = frozenset()
    """Keys that a create accepts and forgets, and an update refuses."""

    def check(self, body: Mapping[str, Any], problems: list[str], *, creating: bool) -> Values:
        """Return the API's own keys of a body as they are kept; add what is wrong to `problems`."""
        kept: Values = {}
        for key, value in body.items():
            if key == "custom_fields" or (creating and key in self.update_refused):
                continue
            check = self.keys.get(key)
            if check is None or (key in self.create_only and not creating):
                problems.append(errors.not_allowed(key))
                continue
            try:
                kept[key] = check(value)
            except Invalid as refusal:
                problems.append(f"{key}: {refusal}")
        if creating and self.title not in body:
            problems.append(f"{self.title}: Parameter '{self.title}' is required")
        return kept


def check_custom(
    fields: Mapping[str, Field], given: object, exists: Exists, problems: list[str]
) -> Values:
    """Return values of custom fields as they are kept; each hash that is wrong is a problem."""
    kept: Values = {}
    if not isinstance(given, dict):
        problems.append("custom_fields: Expected 'object' as value")
        return kept
    for code, value in given.items():
        field = fields.get(code)
        if field is None:
            problems.append(errors.not_allowed(f"custom_fields.{code}"))
            continue
        try:
            kept[code] = values.custom(field, value, exists)
        except Invalid as refusal:
            kind = _KINDS.get(field.type, field.type)
            problems.append(f"custom_fields: {refusal} for {kind} custom field '{code}'")
    return kept


def make_schemas(exists: Exists, *, contact_sync: Callable[[], bool]) -> dict[str, Schema]:
    """Return the schema of each object type."""
    title = text(empty=False)
    owned = {
        "owner_id": reference("user", exists),
        "visible_to": values.one_of(1, 3, 5, 7),
        "label_ids": values.integers,
    }
    organization = or_null(reference("organization", exists))
    persons = Schema(
        "name",
        {
            "name": title,
            **owned,
            "org_id": organization,
            "add_time": values.moment,
            "emails": values.contacts,
            "phones": values.contacts,
            "marketing_status": values.one_of(
                "no_consent", "unsubscribed", "subscribed", "archived"
            ),
            **{key: _synced(check, key, contact_sync) for key, check in _CONTACT_SYNC.items()},
        },
        create_only=frozenset({"add_time"}),
    )
    organizations = Schema(
        "name",
        {
            "name": title,
            **owned,
            "add_time": values.moment,
            "address": or_null(values.address),
            "website": or_null(text()),
            "linkedin": or_null(text()),
            "industry": or_null(values.integer),
            "annual_revenue": or_null(values.integer),
            "employee_count": or_null(values.integer),
        },
        create_only=frozenset({"add_time"}),
    )
    deals = Schema(
        "title",
        {
            "title": title,
            **owned,
            "person_id": or_null(reference("person", exists)),
            "org_id": organization,
            "pipeline_id": reference("pipeline", exists),
            "stage_id": reference("stage", exists),
            "value": or_null(values.number),
            "currency": values.currency,
            "status": values.one_of("open", "won", "lost"),
            "lost_reason": or_null(text()),
            "probability": or_null(_probability),
            "expected_close_date": or_null(values.day),
            "close_time": or_null(values.moment),
            "won_time": or_null(values.moment),
            "lost_time": or_null(values.moment),
            "is_archived": values.boolean,
            "archive_time": or_null(values.spaced_moment),
            "is_deleted": _not_deleted,
            # Absent from the description and accepted all the same.
            "channel_id": or_null(text()),
        },
        update_refused=frozenset({"origin_id"}),
    )
    return {"persons": persons, "organizations": organizations, "deals": deals}


_CONTACT_SYNC: dict[str, Check] = {
    "postal_address": or_null(values.address),
    "notes": or_null(text(values.MAX_TEXT)),
    "im": values.contacts,
    "birthday": or_null(values.day),
    "job_title": or_null(text()),
}


def _synced(check: Check, key: str, contact_sync: Callable[[], bool]) -> Check:
    def guarded(value: object) -> object:
        if not contact_sync():
            raise errors.contact_sync_only([key])
        return check(value)

    return guarded


def _probability(value: object) -> int | float:
    given = values.number(value)
    if not 0 <= given <= 100:  # noqa: PLR2004 - per cent
        raise Invalid("Expected a number between 0 and 100")
    return given


def _not_deleted(value: object) -> bool:
    if values.boolean(value):
        raise Invalid("Expected false: records are deleted with DELETE")
    return False
