"""Reading records: by id, by a unique property, by any other, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from crmsync.connectors.answers import Effect
from crmsync.connectors.base import Key
from crmsync.connectors.hubspot.api import (
    Api,
    following,
    payload_of,
    shape_of,
    shape_of_records,
)
from crmsync.connectors.hubspot.codes import NOT_FOUND
from crmsync.connectors.hubspot.schemas import Schemas
from crmsync.connectors.hubspot.search import lookups
from crmsync.connectors.hubspot.values import moment
from crmsync.connectors.hubspot.walk import Entry, Walk
from crmsync.connectors.hubspot.wire import (
    BATCH_RECORDS,
    MERGED_IDS,
    absent_of,
    crm_id_of,
    names_of,
    not_found,
    read_body,
    record_of,
    unknown_properties,
)
from crmsync.connectors.paging import Pages
from crmsync.errors import BatchRejected, Unavailable
from crmsync.model import CrmId, Page, Record

ARCHIVED = {"archived": "true"}


class Records:
    """The records of one account, contacts, companies and custom objects alike."""

    def __init__(self, api: Api, schemas: Schemas) -> None:
        """Read by this API."""
        self._api = api
        self._schemas = schemas

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """See `HubSpot.read`."""
        if not keys:
            return []
        name = keys[0].field
        if name is None:
            ids = [CrmId(key.value) for key in keys]
            entries = self.by_id(object_type, ids, fields)
        elif self._schemas.is_unique(object_type, name):
            entries = self._by_key(object_type, keys, fields)
        else:
            return self._find(object_type, name, [key.value for key in keys], fields)
        self._insist(object_type, list(entries.values()), fields)
        kinds = self._schemas.kinds(object_type, fields)
        with shape_of_records(object_type):
            found = {key: record_of(entry, fields, kinds) for key, entry in entries.items()}
        records = [found.get(key.value.lower()) for key in keys]
        if name is not None:
            return records
        return [_known_as(CrmId(k.value), r) for k, r in zip(keys, records, strict=True)]

    def by_id(
        self, object_type: str, ids: Sequence[CrmId], fields: Sequence[str]
    ) -> dict[str, Entry]:
        """Return the live records that have or had one of the ids, by every id they had.

        An id that was merged away works one at a time only, so what is missing is first looked for
        among the archived: a call for a hundred.
        """
        asked = list(dict.fromkeys(ids))
        found = self._by_key(object_type, [Key(crm_id) for crm_id in asked], fields)
        missing = [crm_id for crm_id in asked if crm_id not in found]
        if not missing:
            return found
        archived = self._by_key(object_type, [Key(crm_id) for crm_id in missing], (), ARCHIVED)
        winners = {
            old: winner
            for old in missing
            if old not in archived and (winner := self.winner_of(object_type, old))
        }
        others = [Key(winner) for winner in dict.fromkeys(winners.values()) if winner not in found]
        found |= self._by_key(object_type, others, fields)
        return found | {old: found[new] for old, new in winners.items() if new in found}

    def winner_of(self, object_type: str, crm_id: CrmId) -> CrmId | None:
        """Return the id of the record that this id is or was merged into; None where it is gone."""
        answer = self._api.http.request(
            "GET",
            self._api.objects(object_type, f"/{quote(crm_id, safe='')}"),
            effect=Effect.READ,
            params={"properties": MERGED_IDS},
            route=self._api.objects(object_type, "/{id}"),
        )
        try:
            payload = payload_of(answer, object_type)
        except BatchRejected as refusal:
            # HubSpot's own word; a 404 of something in front of it means nothing.
            if refusal.code != NOT_FOUND:
                raise
            return None
        with shape_of(answer):
            return crm_id_of(payload)

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """See `HubSpot.changes`."""
        for entries, reached in self.walk(object_type, cursor, fields):
            live = [entry for entry in entries if not entry.get("archived")]
            kinds = self._schemas.kinds(object_type, fields)
            with shape_of_records(object_type):
                records = [record_of(entry, fields, kinds) for entry in live]
                gone = [deleted_of(entry) for entry in entries if entry.get("archived")]
            yield Page([*records, *gone], reached)

    def walk(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[tuple[list[Entry], str]]:
        """Yield what changed or was archived, and the cursor to go on from."""

        def read(ids: Sequence[CrmId]) -> Mapping[str, Entry]:
            return self._by_key(object_type, [Key(crm_id) for crm_id in ids], fields)

        walk = Walk(self._api, object_type, cursor, [*fields, MERGED_IDS], read)
        for entries, reached in walk.pages():
            live = [entry for entry in entries if not entry.get("archived")]
            self._insist(object_type, live, fields)
            yield entries, reached

    def _insist(self, object_type: str, entries: Sequence[Entry], fields: Sequence[str]) -> None:
        """Raise ConfigError where the entries lack a field because the account no longer has it."""
        absent = {name for entry in entries for name in absent_of(entry, fields)}
        if absent:
            self._schemas.insist(object_type, absent)

    def _by_key(
        self,
        object_type: str,
        keys: Sequence[Key],
        fields: Sequence[str],
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Entry]:
        """Return the records that have one of these keys, by every name they answer to."""
        path = self._api.objects(object_type, "/batch/read")
        found: dict[str, Entry] = {}
        for start in range(0, len(keys), BATCH_RECORDS):
            body = read_body(keys[start : start + BATCH_RECORDS], fields)
            answer, payload = self._api.ask(path, body, object_type, params)
            with shape_of(answer):
                unknown = unknown_properties(payload)
            if unknown:
                self._schemas.insist(object_type, unknown)
            with shape_of(answer):
                for entry in payload["results"]:
                    crm_id_of(entry)
                    found |= dict.fromkeys(names_of(entry, keys[0].field), entry)
                nothing_said = not payload["results"] and not not_found(payload)
            if nothing_said and not params:
                raise Unavailable(f"{answer.what}: HubSpot answered neither records nor errors")
        return found

    def _find(
        self, object_type: str, name: str, values: Sequence[str], fields: Sequence[str]
    ) -> list[Record | None]:
        found: dict[str, Any] = {}
        for body in lookups(name, values, fields):
            after: str | None = ""
            pages = Pages(f"POST {self._api.objects(object_type, '/search')}")
            while after is not None:
                page = body | {"after": after} if after else body
                answer, payload = self._api.search(object_type, page)
                with shape_of(answer):
                    for entry in payload["results"]:
                        value = str(entry["properties"][name]).strip().lower()
                        found.setdefault(value, entry)
                    after = following(payload)
                pages.turn(after, len(payload["results"]))
        self._insist(object_type, list(found.values()), fields)
        kinds = self._schemas.kinds(object_type, [*fields, name])
        with shape_of_records(object_type):
            records = {value: record_of(entry, fields, kinds) for value, entry in found.items()}
        return [records.get(value.strip().lower()) for value in values]


def deleted_of(entry: Entry) -> Record:
    """Return what is left of an archived record."""
    at = entry.get("archivedAt")
    return Record(crm_id_of(entry), {}, moment(at) if at else None, is_deleted=True)


def _known_as(asked: CrmId, record: Record | None) -> Record | None:
    """Return a record read by its id, or by one that it had and does not tell of."""
    if record is None or asked in (record.crm_id, *record.former_ids):
        return record
    return replace(record, former_ids=(*record.former_ids, asked))
