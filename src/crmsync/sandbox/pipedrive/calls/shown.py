"""Records as v2 shows them."""

from __future__ import annotations

from collections.abc import Callable

from crmsync.sandbox.pipedrive.calls.call import Anything, Call, Json
from crmsync.sandbox.pipedrive.company import Company
from crmsync.sandbox.pipedrive.fields import WITH_OPTIONS, Field
from crmsync.sandbox.pipedrive.records import Record
from crmsync.sandbox.pipedrive.schemas import CONTACT_SYNC
from crmsync.sandbox.pipedrive.wire import rfc3339

MAX_CUSTOM_FIELDS = 15
_CLOSING = {"won_time": "local_won_date", "lost_time": "local_lost_date",
            "close_time": "local_close_date"}  # fmt: skip

Show = Callable[[Record], Json]


def shower(call: Call) -> Show:
    """Return what shows records of the call's type, with the custom fields it asks for.

    All custom fields of the company are there, those without a value as null.
    """
    custom = call.company.fields[call.type].custom
    wanted = call.names("custom_fields", MAX_CUSTOM_FIELDS)
    codes = [code for code in custom if code in wanted] if wanted else list(custom)
    labelled = call.flag("include_option_labels")
    fields = [custom[code] for code in codes if labelled and custom[code].type in WITH_OPTIONS]

    def show(record: Record) -> Json:
        held = record.custom
        values = {code: held.get(code) for code in codes}
        for field in fields:
            values[field.code] = _labelled(field, values[field.code])
        return {**shown(call.company, call.type, record), "custom_fields": values}

    return show


def shown(company: Company, object_type: str, record: Record) -> Json:
    """Return a record without its custom fields."""
    values = record.values
    if object_type == "persons" and company.settings.contact_sync:
        values = {**CONTACT_SYNC, **values}
    out = {
        "id": record.id,
        **values,
        "add_time": rfc3339(record.created),
        "update_time": rfc3339(record.updated),
        "is_deleted": record.deleted is not None,
    }
    if object_type == "deals":
        out.update({local: (values[key] or "")[:10] or None for key, local in _CLOSING.items()})
        if record.deleted is not None:
            out["status"] = "deleted"
    return out


def _labelled(field: Field, value: Anything) -> Anything:
    if isinstance(value, list):
        return [_with_label(field, one) for one in value]
    return None if value is None else _with_label(field, value)


def _with_label(field: Field, option_id: int) -> Json:
    option = field.option(option_id)
    return {"id": option_id, "label": option.label if option else None}
