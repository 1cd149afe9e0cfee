"""What else can happen to an org, done over the control API as its administrator would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.fields import Field
from crmsync.sandbox.salesforce.locks import Transaction
from crmsync.sandbox.salesforce.org import Org
from crmsync.sandbox.salesforce.records import Record, Table


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
            "backdate": self._backdate,
            "recalculate": self._recalculate,
            "convert_lead": self._convert_lead,
            "hold_lock": self._hold_lock,
            "release_lock": self._release_lock,
            "expire_access_tokens": self._expire_access_tokens,
            "revoke_refresh_tokens": self._revoke_refresh_tokens,
            "expire_queries": self._expire_queries,
            "use_calls": self._use_calls,
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

    def _backdate(self, object_type: str, id: str, seconds: float) -> None:  # noqa: A002
        """Let a record's last change have been stamped so long before it was committed just now."""
        table = self._table(object_type)
        record = table.by_id.get(id)
        if record is None:
            raise ControlError(f"no {object_type} with id {id}")
        table.backdate(record, int(self._org().now() - seconds))

    def _recalculate(self, object_type: str, id: str, field: str, value: Any) -> None:  # noqa: A002, ANN401
        """Give a field another value and move no stamp, as a formula over something else does."""
        table = self._table(object_type)
        record, known = self._live(table, id), known_field(table, field)
        record.values = {**record.values, known.name: table.type.checks[known.name](value)}

    def _convert_lead(self, id: str, opportunity: str = "") -> dict[str, str]:  # noqa: A002
        """Make a lead an account, a contact and, where it is named, an opportunity; return ids."""
        return self._org().convert(self._live(self._table("Lead"), id), opportunity)

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


def known_field(table: Table, name: str) -> Field:
    """Return a field of an object type; `ControlError` for none such."""
    field = table.type.fields.get(name)
    if field is None:
        raise ControlError(f"{table.type.name} has no field {name}")
    return field
