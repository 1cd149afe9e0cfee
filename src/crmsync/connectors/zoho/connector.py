"""Zoho CRM: contacts, leads, accounts, deals and any other module, by its API name.

Records are written 100 a call and found without delay (`reading.py`). What a module's fields are
is read from the account (`modules.py`), since Zoho leaves out without a word what it does not know.
What each error means is data in `codes.py`; the wire format is `wire.py` and `values.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.base import Capabilities, Connection, Key, Limit
from crmsync.connectors.http import Observer, Transport, unobserved
from crmsync.connectors.throttle import Throttle
from crmsync.connectors.windows import with_overrides
from crmsync.connectors.zoho.api import LIMITS, SITE, Api, headers_of, misshapen
from crmsync.connectors.zoho.errors import is_about_the_call
from crmsync.connectors.zoho.fields import Module
from crmsync.connectors.zoho.modules import DOUBTED_SECONDS, Modules
from crmsync.connectors.zoho.oauth import VENDOR
from crmsync.connectors.zoho.reading import Reader, path_of
from crmsync.connectors.zoho.wire import TRIGGER, Draft, draft_of, results_of
from crmsync.errors import BatchRejected, ConfigError, Unavailable
from crmsync.model import (
    Account,
    Action,
    Batch,
    Failure,
    FieldSchema,
    ObjectSchema,
    Outcome,
    Page,
    Record,
    Result,
)

CALL_RECORDS = 100
"""Of every write: zoho.com/crm/developer/docs/api/v8, "Upsert Records", read 2026-11."""
# action -> method, the path below the module's own, what its scopes are called
CALLS: Mapping[Action, tuple[str, str, str]] = {
    Action.CREATE: ("POST", "", "CREATE"),
    Action.UPDATE: ("PUT", "", "UPDATE"),
    Action.UPSERT: ("POST", "/upsert", "{CREATE,UPDATE}"),
    Action.ARCHIVE: ("DELETE", "", "DELETE"),
}
FIELD_STEPS = (
    "In Zoho: Setup > Customization > Modules and Fields > {object} > its layout. Drag a Single"
    ' Line field into it, name it {field}, tick "Do not allow duplicate values" in its'
    " properties, and save the layout. Then look under Setup > Developer Hub > APIs and SDKs > API"
    " Names whether the field is called {field} there too, and correct it if not."
)


class Zoho:
    """One Zoho CRM account. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call=dict.fromkeys(Action, CALL_RECORDS),
        records_per_read=CALL_RECORDS,
        # Zoho also upserts by a module's own field for duplicates, such as Email. Its values are
        # not unique: two calls at once, or a late one, make two records. So such a record is looked
        # for and then created, with the care that creates are given.
        upserts_by=frozenset(),
        creates_fields=True,
        field_steps=FIELD_STEPS,
    )

    vendor = VENDOR

    @staticmethod
    def limits(connection: Connection) -> tuple[Limit, ...]:
        """Return the account's limits: the lowest edition's where crmsync.yaml says nothing."""
        return with_overrides(LIMITS, connection.limits)

    def __init__(
        self,
        connection: Connection,
        throttle: Throttle,
        authorisation: Authorisation,
        observe: Observer = unobserved,
    ) -> None:
        """Open nothing yet; raises ConfigError for a wrong address."""
        http = Transport(
            connection,
            SITE,
            throttle,
            authorisation=authorisation,
            headers_of=headers_of,
            observe=observe,
        )
        self._api = Api(http)
        self._modules = Modules(self._api)

    # --- metadata -------------------------------------------------------------------------

    def check(self) -> Account:
        """Read who we are, and one contact: a token can be valid and lack every scope."""
        payload = self._api.read("/crm/v8/org", needs="ZohoCRM.org.READ") or {}
        one = {"fields": "id", "per_page": "1"}
        self._api.read(path_of("Contacts"), params=one, needs="ZohoCRM.modules.Contacts.READ")
        listed = payload.get("org")
        org = listed[0] if isinstance(listed, list) and listed else {}
        try:
            org_id = str(org.get("zgid") or org["id"])
            edition = (org.get("license_details") or {}).get("paid_type")
            return Account(
                id=org_id,
                name=str(org.get("company_name") or ""),
                detail=", ".join(str(part) for part in (edition, org.get("time_zone")) if part),
            )
        except (LookupError, TypeError, AttributeError):
            raise Unavailable("GET /crm/v8/org: another shape than documented") from None

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live fields of a module."""
        return self._modules.describe(object_type)

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Make a custom field; one that exists is left as it is."""
        self._modules.make(object_type, field)

    # --- records --------------------------------------------------------------------------

    def write(self, batch: Batch) -> list[Result]:
        """Send one batch in one call."""
        if not batch.operations:
            return []
        try:
            draft = self._draft(batch)
            return draft.joined(self._send(batch, draft) if draft.rows else [])
        except ConfigError as mistake:
            failure = Failure("UNKNOWN_MODULE", mistake.user_message, "Correct the mapping.")
        except BatchRejected as refusal:
            if not is_about_the_call(refusal):
                raise
            failure = Failure(
                refusal.code, refusal.user_message, refusal.hint, refusal.field, refusal.excerpt
            )
        # Not for the sake of some record: sending halves of it would only cost credits.
        return [Result(Outcome.REJECTED, failure=failure)] * len(batch.operations)

    def _draft(self, batch: Batch) -> Draft:
        """Prepare a batch; look at the module anew where its fields seem to have changed."""
        if batch.action is Action.ARCHIVE:
            return draft_of(batch, Module(batch.object_type, {}))
        draft = draft_of(batch, self._modules.get(batch.object_type))
        if draft.doubted:
            draft = draft_of(batch, self._modules.get(batch.object_type, DOUBTED_SECONDS))
        return draft

    def _send(self, batch: Batch, draft: Draft) -> list[Result]:
        method, below, scope = CALLS[batch.action]
        body: dict[str, Any] = {"data": draft.rows, "trigger": TRIGGER}
        params: dict[str, str] = {}
        if batch.action is Action.UPSERT:
            body["duplicate_check_fields"] = [batch.match_field]
        elif batch.action is Action.ARCHIVE:
            ids = ",".join(str(operation.crm_id) for operation in draft.operations)
            params = {"ids": ids, "wf_trigger": "false"}
        answer, entries = self._api.write(
            method,
            path_of(batch.object_type) + below,
            "data",
            json=body if batch.action is not Action.ARCHIVE else None,
            params=params,
            needs=f"ZohoCRM.modules.{batch.object_type}.{scope}",
            records=len(draft.rows),
        )
        try:
            return results_of(batch, draft.operations, entries)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise misshapen(answer) from None

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records by id or by any field that can be queried, without delay.

        Where several hold a value, the one with the lowest id is taken; a field that the module
        does not have comes as None.
        """
        if not keys:
            return []
        return Reader(self._api, self._modules.get(object_type)).find(keys, fields)

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed since the cursor, and the five minutes before: each at least once."""
        return Reader(self._api, self._modules.get(object_type)).walk(cursor, fields)
