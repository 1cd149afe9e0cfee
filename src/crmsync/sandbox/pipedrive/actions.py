"""What the control API can have happen to a company, beside calls and people's edits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.pipedrive.company import Company
from crmsync.sandbox.pipedrive.errors import ApiError
from crmsync.sandbox.pipedrive.fields import Field, Fields
from crmsync.sandbox.pipedrive.records import Record
from crmsync.sandbox.pipedrive.wire import OBJECT_TYPES

ACTIONS = (
    "merge", "delete", "restore", "fields", "add_field", "rename_field", "delete_field",
    "add_option", "remove_option", "add_user", "deactivate_user", "add_stage", "rename_stage",
    "delete_stage", "rename_pipeline", "webhooks", "expire_access_tokens", "revoke_grants",
    "regenerate_api_token", "spend_tokens", "tokens_left",
)  # fmt: skip


class Actions:
    """The actions on one company. An id is taken as text, as `held` gives it, or as a number."""

    def __init__(self, company: Company) -> None:
        """Act on one company."""
        self._company = company

    def all(self) -> Mapping[str, Callable[..., Any]]:
        """Return the actions by name."""
        own = {name: _told(getattr(self, name)) for name in ACTIONS}
        return {**own, **self._company.webhooks.deliveries.actions()}

    # --- records ----------------------------------------------------------------------------

    def merge(self, object_type: str, id: str, merge_with_id: str) -> str:  # noqa: A002
        """Merge two records, the second one's data winning; return the survivor's id."""
        return str(self._company.merge(known(object_type), int(id), int(merge_with_id), "app").id)

    def delete(self, object_type: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Delete a record."""
        self._company.delete(known(object_type), self._record(object_type, id), "app")

    def restore(self, object_type: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Take a deletion back."""
        company = self._company
        record = company.records[known(object_type)].find_deleted(int(id), company.now())
        if record is None:
            raise ControlError(f"no deleted record with id {id}")
        company.restore(object_type, record)

    # --- fields -----------------------------------------------------------------------------

    def fields(self, object_type: str) -> list[dict[str, Any]]:
        """Return the company's own fields."""
        return [
            field.report() for field in self._company.fields[known(object_type)].custom.values()
        ]

    def add_field(
        self, object_type: str, name: str, field_type: str = "varchar", options: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Add a field; return it."""
        return self._company.fields[known(object_type)].add(name, field_type, options).report()

    def rename_field(self, object_type: str, name: str, to: str) -> None:
        """Give a field another name; its code stays."""
        fields, field = self._field(object_type, name)
        fields.rename(field.code, to)

    def delete_field(self, object_type: str, name: str) -> None:
        """Delete a field by its name or code, so that writes naming it fail."""
        _, field = self._field(object_type, name)
        self._company.remove_field(object_type, field.code)

    def add_option(self, object_type: str, name: str, label: str) -> int | str:
        """Add an option to a field; return its id."""
        fields, field = self._field(object_type, name)
        added = fields.new_options([label])
        fields.set_options(field.code, (*field.options, *added))
        return added[0].id

    def remove_option(self, object_type: str, name: str, label: str) -> None:
        """Take an option from a field, so that writes of it fail."""
        fields, field = self._field(object_type, name)
        fields.set_options(field.code, [o for o in field.options if o.label != label])

    # --- users and stages -------------------------------------------------------------------

    def add_user(self, name: str, email: str) -> int:
        """Add a user; return their id."""
        return self._company.users.add(name, email).id

    def deactivate_user(self, id: int) -> None:  # noqa: A002 - the wire's own word
        """Deactivate a user."""
        if int(id) not in self._company.users.all:
            raise ControlError(f"no user with id {id}")
        self._company.users.deactivate(int(id))

    def add_stage(self, pipeline_id: int, name: str) -> int:
        """Add a stage at the end of a pipeline; return its id."""
        return self._company.pipelines.add_stage(pipeline_id, name, self._company.now()).id

    def rename_stage(self, id: int, name: str) -> None:  # noqa: A002 - the wire's own word
        """Give a stage another name; its id stays."""
        stage = self._company.pipelines.get_stage(id)
        stage.name, stage.updated = name, self._company.now()

    def delete_stage(self, id: int) -> None:  # noqa: A002 - the wire's own word
        """Delete a stage, whatever is in it."""
        for pipeline in self._company.pipelines.all.values():
            pipeline.stages.pop(id, None)

    def rename_pipeline(self, id: int, name: str) -> None:  # noqa: A002 - the wire's own word
        """Give a pipeline another name; its id stays."""
        pipeline = self._company.pipelines.get(id)
        pipeline.name, pipeline.updated = name, self._company.now()

    # --- webhooks ---------------------------------------------------------------------------

    def webhooks(self) -> list[dict[str, Any]]:
        """Return the webhooks there are, with how they fare."""
        now = self._company.clock.time()
        return [
            {
                "id": one.id,
                "url": one.url,
                "event": f"{one.action}.{one.entity}",
                "failures": one.failures,
                "banned": one.banned_until > now,
                "last_status": one.last_status,
            }
            for one in self._company.webhooks.all.values()
        ]

    # --- tokens -----------------------------------------------------------------------------

    def expire_access_tokens(self) -> None:
        """Let every OAuth access token have expired."""
        self._company.accounts.expire_access_tokens()

    def revoke_grants(self) -> None:
        """Revoke every OAuth token, as uninstalling the app does."""
        self._company.accounts.revoke_grants()

    def regenerate_api_token(self) -> str:
        """Make a new API token and return it; all others stop working."""
        return self._company.accounts.regenerate_api_token()

    def spend_tokens(self, tokens: int) -> None:
        """Use up tokens of the day, as other tools of the company do."""
        self._company.quota.spend(tokens)

    def tokens_left(self) -> int:
        """Return what is left of the day's tokens."""
        return self._company.quota.tokens_left()

    # --- inside -----------------------------------------------------------------------------

    def _record(self, object_type: str, record_id: str) -> Record:
        record = self._company.records[known(object_type)].find(int(record_id))
        if record is None:
            raise ControlError(f"no live record with id {record_id}")
        return record

    def _field(self, object_type: str, name: str) -> tuple[Fields, Field]:
        fields = self._company.fields[known(object_type)]
        for field in fields.custom.values():
            if name in (field.code, field.name):
                return fields, field
        raise ControlError(f"{object_type} have no custom field {name}")


def known(object_type: str) -> str:
    """Return an object type; `ControlError` for none such."""
    if object_type not in OBJECT_TYPES:
        raise ControlError(f"no object type {object_type}; there are: {', '.join(OBJECT_TYPES)}")
    return object_type


def _told(act: Callable[..., Any]) -> Callable[..., Any]:
    """Let an action refuse in Pipedrive's words."""

    @functools.wraps(act)
    def told(**details: object) -> object:
        try:
            return act(**details)
        except ApiError as error:
            raise ControlError(error.message) from None

    return told
