"""Zoho CRM: contacts, leads, accounts, deals and any other module, by its API name.

Records are written 100 a call and found without delay (`reading.py`). What a module's fields are
is read from the account (`modules.py`), since Zoho leaves out without a word what it does not know.
What changed comes by query (`changes.py`, `cursors.py`), deals with it (`deals.py`,
`pipelines.py`); notifications are `webhooks.py`. What each error means is data in `codes.py`; the
wire format is `wire.py` and `values.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crmsync.connectors.answers import UNREADABLE, Observer, unobserved
from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.base import Capabilities, Connection, Delivery, Key, Limit, Watch
from crmsync.connectors.http import Transport
from crmsync.connectors.throttle import Throttle
from crmsync.connectors.windows import with_overrides
from crmsync.connectors.zoho.api import LIMITS, SITE, Api, headers_of, misshapen
from crmsync.connectors.zoho.changes import Changes
from crmsync.connectors.zoho.deals import Deals
from crmsync.connectors.zoho.errors import is_about_the_call
from crmsync.connectors.zoho.fields import DEALS, REFERENCES, Module
from crmsync.connectors.zoho.merging import merge
from crmsync.connectors.zoho.modules import DOUBTED_SECONDS, Modules
from crmsync.connectors.zoho.oauth import VENDOR
from crmsync.connectors.zoho.pipelines import Pipelines, owners
from crmsync.connectors.zoho.reading import Reader
from crmsync.connectors.zoho.rows import path_of
from crmsync.connectors.zoho.webhooks import Channel
from crmsync.connectors.zoho.wire import TRIGGER, Draft, draft_of, results_of
from crmsync.errors import BatchRejected, ConfigError, Unavailable
from crmsync.model import (
    Account,
    Action,
    Batch,
    CrmId,
    Deal,
    DealPage,
    Failure,
    FieldSchema,
    Hint,
    ObjectSchema,
    Outcome,
    Owner,
    Page,
    Record,
    Result,
    Stage,
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
        records_per_call=dict.fromkeys(CALLS, CALL_RECORDS),
        records_per_read=CALL_RECORDS,
        # Zoho also upserts by a module's own field for duplicates, such as Email. Its values are
        # not unique: two calls at once, or a late one, make two records. So such a record is looked
        # for and then created, with the care that creates are given.
        upserts_by=frozenset(),
        creates_fields=True,
        reference_fields=REFERENCES,
        merges=True,
        sends_webhooks=True,
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
        self._changes = Changes(self._api)
        self._pipelines = Pipelines(self._api)
        self._channel = Channel(self._api, connection)
        self._deals = Deals(self._api, self._modules, self._changes, self._pipelines)

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
        except UNREADABLE:
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
        except UNREADABLE:
            raise misshapen(answer) from None

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records by id or by any field that can be queried, without delay.

        Where several hold a value, the one with the lowest id is taken. A field that the module
        does not have comes as None where records are looked for by a field; by id, which is how
        what people changed is read, it is a ConfigError.
        """
        if not keys:
            return []
        by_id = keys[0].field is None
        module = self._modules.having(object_type, fields if by_id else ())
        return Reader(self._api, module).find(keys, fields)

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed, oldest first, then converted leads and what is gone.

        Raises ConfigError that names a field which the module does not have any more.
        """
        return self._changes.records(self._modules.having(object_type, fields), cursor, fields)

    # --- deals ----------------------------------------------------------------------------

    def deals(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Yield the deals that changed, each with its contact, then those that are gone."""
        return self._deals.changed(cursor, fields)

    def deals_by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Read deals fresh, 100 a call."""
        return self._deals.by_id(ids, fields)

    def describe_deals(self) -> ObjectSchema:
        """Return the live fields of deals, which are read and never made."""
        return self._modules.fields_of(DEALS)

    def owners(self) -> list[Owner]:
        """Return every user, also who left or was deleted."""
        return owners(self._api)

    def stages(self) -> list[Stage]:
        """Return the stages of the pipelines of every layout of deals."""
        return self._pipelines.stages()

    # --- merging and webhooks -------------------------------------------------------------

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> CrmId:
        """Make one record of two; only the winner's values stay."""
        return merge(self._api, object_type, winner, loser)

    def hints(self, delivery: Delivery) -> list[Hint]:
        """Return which records a notification is about; its token proves where it is from."""
        return self._channel.hints(delivery)

    def watch(self, object_types: Sequence[str]) -> Watch:
        """Set up or renew the notification channel, which lives for a week."""
        return self._channel.watch(object_types)

    def unwatch(self) -> None:
        """Take the notification channel down."""
        self._channel.unwatch()
