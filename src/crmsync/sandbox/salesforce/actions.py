"""What else can happen to an org, done over the control API as its administrator would."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.salesforce.automation import ValidationRule
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.fields import NUMBERS, Field, FieldType, Option
from crmsync.sandbox.salesforce.locks import Transaction
from crmsync.sandbox.salesforce.org import Org
from crmsync.sandbox.salesforce.records import Record, Table

_DIGITS, _DECIMALS = 18, 2
_TEXT_LENGTH = 255


class Actions:
    """The actions on one org, by name."""

    def __init__(self, org: Callable[[], Org]) -> None:
        """Act on whichever org there is at the time."""
        self._org = org

    def by_name(self) -> Mapping[str, Callable[..., Any]]:
        """Return every action."""
        return {
            "merge": self._merge,
            "delete": self._delete,
            "undelete": self._undelete,
            "purge": self._purge,
            "touch": self._touch,
            "convert_lead": self._convert_lead,
            "hold_lock": self._hold_lock,
            "release_lock": self._release_lock,
            "expire_access_tokens": self._expire_access_tokens,
            "revoke_refresh_tokens": self._revoke_refresh_tokens,
            "expire_queries": self._expire_queries,
            "use_calls": self._use_calls,
            "add_field": self._add_field,
            "change_field": self._change_field,
            "remove_field": self._remove_field,
            "add_trigger": self._add_trigger,
            "add_validation_rule": self._add_validation_rule,
            "add_user": self._add_user,
            "deactivate_user": self._deactivate_user,
        }

    # --- records ----------------------------------------------------------------------------

    def _merge(self, object_type: str, winner: str, loser: str) -> None:
        """Merge two records: the loser is deleted, its external id with it."""
        table = self._table(object_type)
        if object_type not in ("Account", "Contact", "Lead") or winner == loser:
            raise ControlError("merge two accounts, two contacts or two leads")
        self._org().merge(table, self._live(table, winner), self._live(table, loser))

    def _delete(self, object_type: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Put a record, and what belongs to it, into the recycle bin."""
        table, org = self._table(object_type), self._org()
        org.delete(table, self._live(table, id), org.by_person(), Transaction(0.0))

    def _undelete(self, object_type: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Take a record out of the recycle bin."""
        table = self._table(object_type)
        record = table.by_id.get(id)
        if record is None or record.deleted_at is None:
            raise ControlError(f"no deleted record with id {id}")
        table.undelete(record, self._org().now())

    def _purge(self) -> int:
        """Empty the recycle bin; return how many records are gone for good."""
        gone = 0
        for table in self._org().tables.values():
            for record in [one for one in table.by_id.values() if one.deleted_at is not None]:
                del table.by_id[record.id]
                gone += 1
        return gone

    def _touch(self, object_type: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Move a record's SystemModstamp and nothing else."""
        table = self._table(object_type)
        table.touch(self._live(table, id), self._org().now())

    def _convert_lead(self, id: str) -> dict[str, str]:  # noqa: A002 - the wire's own word
        """Make a lead an account and a contact; return their ids."""
        return self._org().convert(self._live(self._table("Lead"), id))

    def _hold_lock(self, id: str, seconds: float | None = None) -> None:  # noqa: A002
        """Hold a row, so that writes of it and of what refers to it fail."""
        self._org().locks.hold(id, seconds)

    def _release_lock(self, id: str) -> None:  # noqa: A002 - the wire's own word
        """Let go a row that is held."""
        self._org().locks.release(id)

    # --- tokens, queries, limits ------------------------------------------------------------

    def _expire_access_tokens(self) -> None:
        """Let every access token be dead, those of the settings too."""
        self._org().authorisations.expire_access_tokens()

    def _revoke_refresh_tokens(self) -> None:
        """Revoke every authorisation, with the access tokens that came of it."""
        self._org().authorisations.revoke_refresh_tokens()

    def _expire_queries(self) -> None:
        """Let every query locator have expired."""
        self._org().cursors.expire()

    def _use_calls(self, calls: int) -> None:
        """Let the org's other integrations have made so many calls just now."""
        self._org().usage.spend(calls)

    # --- customisation ----------------------------------------------------------------------

    def _add_field(self, object_type: str, name: str, **details: Any) -> None:  # noqa: ANN401
        """Add a custom field; `details` are those of `fields.Field`, `options` a list of texts."""
        table = self._table(object_type)
        if not name.endswith("__c"):
            raise ControlError(f"{name}: the name of a custom field ends in __c")
        if name in table.type.fields:
            raise ControlError(f"{name}: {object_type} has this field already")
        described = {"label": name.removesuffix("__c").replace("_", " "), **_read(details)}
        described = _sizes(described.get("type", "string")) | described
        self._org().put_field(table, Field(name=name, custom=True, **described))

    def _change_field(self, object_type: str, name: str, **details: Any) -> None:  # noqa: ANN401
        """Change a field, a standard one too: its length, type, options, uniqueness and so on."""
        table = self._table(object_type)
        self._org().put_field(table, replace(_known(table, name), **_read(details)))

    def _remove_field(self, object_type: str, name: str) -> None:
        """Remove a custom field, so that calls naming it fail."""
        table, org = self._table(object_type), self._org()
        if not _known(table, name).custom:
            raise ControlError(f"{name}: standard fields stay")
        org.remove_field(table, name)

    def _add_trigger(self, object_type: str, field: str, value: Any) -> None:  # noqa: ANN401
        """Set a field to a value whenever a record of the type is written."""
        table = self._table(object_type)
        kept = table.type.checks[_known(table, field).name](value)
        self._org().automation.triggers.setdefault(object_type, {})[field] = kept

    def _add_validation_rule(
        self, object_type: str, field: str, pattern: str, message: str = "Not allowed here."
    ) -> None:
        """Refuse records of which a field's text matches a regular expression."""
        known = _known(self._table(object_type), field)
        try:
            rule = ValidationRule(known.name, re.compile(pattern), message)
        except re.error as error:
            raise ControlError(f"pattern: not a regular expression: {error}") from None
        self._org().automation.rules.setdefault(object_type, []).append(rule)

    def _add_user(self, email: str, last_name: str, first_name: str = "") -> str:
        """Add an active user; return their id."""
        given = {"Email": email, "Username": email, "LastName": last_name,
                 "FirstName": first_name or None, "IsActive": True}  # fmt: skip
        return write_directly(self._org(), self._table("User"), None, given)

    def _deactivate_user(self, id: str) -> None:  # noqa: A002 - the wire's own word
        """Deactivate a user; what they own stays theirs."""
        write_directly(self._org(), self._table("User"), id, {"IsActive": False})

    # --- finding ----------------------------------------------------------------------------

    def _table(self, name: str) -> Table:
        return known_table(self._org(), name)

    @staticmethod
    def _live(table: Table, record_id: str) -> Record:
        return live_record(table, record_id)


def known_table(org: Org, name: str) -> Table:
    """Return the records of an object type; `ControlError` for none such."""
    table = org.tables.get(name)
    if table is None:
        raise ControlError(f"no object type {name}; there are: {', '.join(org.tables)}")
    return table


def live_record(table: Table, record_id: str) -> Record:
    """Return a record that is not deleted; `ControlError` for none such."""
    record = table.find(record_id)
    if record is None:
        raise ControlError(f"no live {table.type.name} with id {record_id}")
    return record


def write_directly(org: Org, table: Table, record_id: str | None, given: Mapping[str, Any]) -> str:
    """Create or change a record as a salesperson does; return its id.

    Values are checked; required fields, rules, locks and permissions are not.
    """
    record = None if record_id is None else live_record(table, record_id)
    changes: dict[str, Any] = {}
    try:
        for name, value in given.items():
            if name not in table.type.fields:
                raise ControlError(f"{table.type.name} has no field {name}")
            changes[name] = table.type.checks[name](value)
        held = {} if record is None else record.values
        values = changes if record is not None else {**table.type.defaults, **changes}
        org.automation.run(table.type.name, values, held, "")
    except Refusal as refusal:
        raise ControlError(refusal.message) from None
    by, unused = org.by_person(), Transaction(0.0)
    if record is None:
        return table.insert(values, by, unused).id
    table.put(record, values, by, unused)
    return record.id


def _known(table: Table, name: str) -> Field:
    field = table.type.fields.get(name)
    if field is None:
        raise ControlError(f"{table.type.name} has no field {name}")
    return field


def _read(details: dict[str, Any]) -> dict[str, Any]:
    read = dict(details)
    if "options" in read:
        read["options"] = tuple(Option(value=text, label=text) for text in read["options"])
    if "refers_to" in read:
        read["refers_to"] = tuple(read["refers_to"])
    return read


def _sizes(kind: FieldType) -> dict[str, Any]:
    """Return what a field of this type is given where nothing is said."""
    if kind in NUMBERS:
        return {"precision": _DIGITS, "scale": 0 if kind == "int" else _DECIMALS}
    if kind == "boolean":
        return {"nillable": False, "default": False}
    return {} if kind in ("date", "datetime") else {"length": _TEXT_LENGTH}
