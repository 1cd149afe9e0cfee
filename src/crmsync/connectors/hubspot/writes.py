"""Writing: records in batches of a hundred, associations two thousand at a time, and merging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from crmsync.connectors.answers import Answer, Effect
from crmsync.connectors.hubspot.api import Api, payload_of, shape_of
from crmsync.connectors.hubspot.errors import context_of, record_result, refuse, refused_record
from crmsync.connectors.hubspot.records import Records
from crmsync.connectors.hubspot.wire import MISSING, crm_id_of, inputs_of, results_of, unsendable
from crmsync.errors import BatchRejected
from crmsync.model import Action, Batch, CrmId, Operation, Outcome, Result

PAIRS = 2_000
"""Of one call that associates: developers.hubspot.com, "Associations v4", read 2026-10."""


class Writes:
    """Everything that changes an account."""

    def __init__(self, api: Api, records: Records) -> None:
        """Write by this API."""
        self._api = api
        self._records = records

    def write(self, batch: Batch) -> list[Result]:
        """Send one batch in one call."""
        settled = unsendable(batch)
        rest = [op for place, op in enumerate(batch.operations) if place not in settled]
        if not rest:
            return list(settled.values())
        send = self._associate if batch.action is Action.ASSOCIATE else self._send
        sent = iter(send(replace(batch, operations=rest) if settled else batch))
        places = range(len(batch.operations))
        return [settled[place] if place in settled else next(sent) for place in places]

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> CrmId:
        """Merge two records; return the id of the one that is left, often a third one."""
        body = {"primaryObjectId": winner, "objectIdToMerge": loser}
        path = self._api.objects(object_type, "/merge")
        answer = self._api.http.request("POST", path, effect=Effect.WRITE, json=body)
        try:
            payload = payload_of(answer, object_type)
        except BatchRejected:
            first = self._records.winner_of(object_type, winner)
            second = self._records.winner_of(object_type, loser)
            if not first or not second or first == second:
                return first or second or winner
            if (first, second) == (winner, loser):
                raise
            return self.merge(object_type, first, second)
        with shape_of(answer):
            return crm_id_of(payload)

    def _send(self, batch: Batch) -> list[Result]:
        path = self._api.objects(batch.object_type, f"/batch/{batch.action}")
        answer = self._post(path, {"inputs": inputs_of(batch)}, batch)
        if isinstance(answer, Result):
            return [answer]
        if answer.status == HTTPStatus.NO_CONTENT and batch.action is Action.ARCHIVE:
            return [Result(Outcome.SUCCEEDED, op.crm_id) for op in batch.operations]
        payload = answer.json()
        with shape_of(answer):
            return results_of(batch, payload)

    def _associate(self, batch: Batch) -> list[Result]:
        """Tie records to those of another object, without a label."""
        other = str(batch.match_field)
        pairs = [(str(op.crm_id), str(op.fields[other])) for op in batch.operations]
        inputs = [{"from": {"id": ours}, "to": {"id": theirs}} for ours, theirs in pairs]
        path = self._api.associations(batch.object_type, other, "/batch/associate/default")
        answer = self._post(path, {"inputs": inputs}, batch)
        if isinstance(answer, Result):
            return [answer]
        payload = answer.json()
        with shape_of(answer):
            return associated(batch.operations, pairs, payload)

    def _post(self, path: str, body: Mapping[str, Any], batch: Batch) -> Answer | Result:
        """Send a batch; return what became of it where it was one operation and refused."""
        answer = self._api.http.request("POST", path, effect=Effect.WRITE, json=body)
        if answer.ok:
            return answer
        try:
            refuse(answer, object_type=batch.object_type)
        except BatchRejected:
            if len(batch.operations) > 1:
                raise
            return refused_record(answer, str(batch.operations[0].crm_id or ""))


def associated(
    operations: Sequence[Operation],
    pairs: Sequence[tuple[str, str]],
    payload: Mapping[str, Any],
) -> list[Result]:
    """Return one result per pair: an error names a record of it, a result both.

    A pair that is not mentioned is UNKNOWN. Raises as `results_of` does.
    """
    done = {(str(r["from"]["id"]), str(r["to"]["id"])) for r in payload["results"]}
    errors = [(set(context_of(e, "ids")), e) for e in payload.get("errors") or ()]
    results = []
    for operation, (ours, theirs) in zip(operations, pairs, strict=True):
        error = next((e for ids, e in errors if ids & {ours, theirs}), None)
        if (ours, theirs) in done:
            results.append(Result(Outcome.SUCCEEDED, operation.crm_id))
        elif error is None:
            results.append(Result(Outcome.UNKNOWN, failure=MISSING))
        else:
            results.append(record_result(error, ours))
    return results
