"""Writing to Pipedrive: one record a call, and two records made one."""

from __future__ import annotations

from collections.abc import Callable

from crmsync.connectors.answers import Answer
from crmsync.connectors.pipedrive.calls import V1, Calls, Entry, data_of
from crmsync.connectors.pipedrive.errors import Meaning, misshapen, refusal_of, refuse
from crmsync.connectors.pipedrive.fields import Catalogue, Fields
from crmsync.connectors.pipedrive.limits import DELETE, MERGE, WRITE
from crmsync.connectors.pipedrive.objects import Field, Form, ObjectType
from crmsync.connectors.pipedrive.wire import Json, nested, wire_values, with_primary
from crmsync.model import Action, CrmId, Failure, Operation, Outcome, Result

GONE = Result(
    Outcome.REJECTED,
    failure=Failure(
        code="ERR_NOT_FOUND",
        message="The record is deleted.",
        hint="The record was deleted or merged in Pipedrive.",
    ),
    is_gone=True,
)


class Writes:
    """The writes of one company."""

    def __init__(self, calls: Calls, catalogue: Catalogue, currency: Callable[[], str]) -> None:
        """`currency` gives the company's own, for amounts."""
        self._calls = calls
        self._catalogue = catalogue
        self._currency = currency

    def write(self, kind: ObjectType, action: Action, operation: Operation) -> Result:
        """Write one record, once; where an address or number of it changes, it is read before."""
        if action is Action.ARCHIVE:
            return self._archive(kind, operation)
        if action is Action.UPDATE and not operation.fields:
            return Result(Outcome.SKIPPED, operation.crm_id)
        fields = self._catalogue.fields(kind, operation.fields)
        values = wire_values(fields, operation.fields, self._currency)
        if isinstance(values, Failure):
            return Result(Outcome.REJECTED, failure=values)
        if any(field.form is Form.CONTACTS for field, _ in values):
            held: Entry | None = {}
            if operation.crm_id is not None:
                held = self._calls.one(kind.path, operation.crm_id)
            if held is None:
                return GONE
            values = [(field, _among_others(held, field, value)) for field, value in values]
        method, path, route = "POST", kind.path, kind.path
        if operation.crm_id is not None:
            method, path, route = "PATCH", f"{kind.path}/{operation.crm_id}", f"{kind.path}/*"
        answer = self._calls.write(method, path, nested(values), cost=WRITE, route=route)
        if not answer.ok:
            return self._refused(kind, answer, operation, fields)
        written = _id_in(answer)
        if operation.crm_id not in {None, written}:
            raise misshapen(answer)
        return Result(Outcome.SUCCEEDED, written, created=action is Action.CREATE)

    def merge(self, kind: ObjectType, winner: CrmId, loser: CrmId) -> CrmId:
        """Merge two records, the winner's values going before; return the id that is left.

        Which one that is, Pipedrive says. It refuses a record that is gone: then the other one is
        what was wanted.
        """
        if winner == loser:
            return winner
        path, route = f"{kind.path}/{loser}/merge", f"{kind.path}/*/merge"
        body = {"merge_with_id": int(winner)}
        answer = self._calls.write("PUT", path, body, cost=MERGE, route=route, version=V1)
        if answer.ok:
            return _id_in(answer)
        refusal = refusal_of(answer, {})
        if refusal.meaning is not Meaning.GONE:
            refuse(refusal, self._calls.refusals)
        there = {str(entry["id"]) for entry in self._calls.entries(kind.paths, [winner, loser])}
        return loser if there == {loser} else winner

    def _archive(self, kind: ObjectType, operation: Operation) -> Result:
        """Delete a record; one that is deleted already is as wanted."""
        path = f"{kind.path}/{operation.crm_id}"
        answer = self._calls.write("DELETE", path, None, cost=DELETE, route=f"{kind.path}/*")
        if answer.ok:
            data_of(answer, "id")
        elif refusal_of(answer, {}).meaning is not Meaning.GONE:
            return self._refused(kind, answer, operation, self._catalogue.fields(kind))
        return Result(Outcome.SUCCEEDED, operation.crm_id)

    def _refused(
        self, kind: ObjectType, answer: Answer, operation: Operation, fields: Fields
    ) -> Result:
        """Return the result of a record that was refused; raise what concerns more than it."""
        names = {field.key: name for name in operation.fields if (field := fields.find(name))}
        refusal = refusal_of(answer, names)
        if refusal.meaning is Meaning.GONE:
            return GONE
        if refusal.meaning not in {Meaning.RECORD, Meaning.PERMISSION}:
            refuse(refusal, self._calls.refusals)
        if refusal.field is not None:
            # Perhaps the company has changed its fields or their options.
            self._catalogue.doubt(kind)
        return Result(Outcome.REJECTED, failure=refusal.failure())


def _id_in(answer: Answer) -> CrmId:
    """Return the id of the record that was written; what cannot be one is a lost answer."""
    written = str(data_of(answer, "id"))
    if not (written.isascii() and written.isdecimal()):
        raise misshapen(answer)
    return CrmId(written)


def _among_others(held: Entry, field: Field, value: Json) -> Json:
    """Return what to write of a value: for a primary address, it and the others held."""
    if field.form is not Form.CONTACTS:
        return value
    return with_primary(held.get(field.key) or [], value)
