"""What the control API can have happen to an organisation: deeds of its people and its admins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.zoho.calls.settings import add_field
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.fields import Field
from crmsync.sandbox.zoho.metadata import user_report
from crmsync.sandbox.zoho.org import Org
from crmsync.sandbox.zoho.records import Record, Records
from crmsync.sandbox.zoho.sales import User

STATES = ("locked", "blueprint", "waiting")


class Actions:
    """The deeds, each a method whose docstring the control API lists."""

    def __init__(
        self,
        org: Org,
        records: Callable[[str], Records],
        live: Callable[[str, str], Record],
    ) -> None:
        """Act on an organisation; `records` and `live` find what is named, or say what is not."""
        self._org = org
        self._records = records
        self._live = live

    def by_name(self) -> Mapping[str, Callable[..., Any]]:
        """Return every deed by its name."""
        names = [name for name in dir(self) if not name.startswith("_") and name != "by_name"]
        return {name: getattr(self, name) for name in names}

    # --- records ----------------------------------------------------------------------------

    def merge(self, module: str, master: str, losers: Sequence[str]) -> None:
        """Merge records into a master; the losers are listed as deleted, and nothing says why."""
        if master in losers:
            raise ControlError("a record cannot be merged into itself")
        found = [self._live(module, loser) for loser in losers]
        self._org.merge(module, self._live(module, master), found)

    def delete(self, module: str, id: str, permanent: bool = False) -> None:  # noqa: A002, FBT001, FBT002
        """Put a record into the recycle bin, or away for good."""
        self._org.delete(module, self._live(module, id), permanent=permanent)

    def undelete(self, module: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Take a record out of the recycle bin."""
        record = self._records(module).by_id.get(id)
        if record is None or record.deleted is None or record.deleted.permanent:
            raise ControlError(f"no record with id {id} in the recycle bin")
        try:
            self._records(module).restore(record)
        except ApiError as error:
            raise ControlError(f"{error.code}: {error.details}") from None

    def convert_lead(self, id: str) -> dict[str, str]:  # noqa: A002 - the wire's own word
        """Turn a lead into a contact and its account; return their ids by module."""
        return self._org.convert(self._live("Leads", id))

    def set_states(self, module: str, id: str, states: Sequence[str]) -> None:  # noqa: A002
        """Let a record be `locked`, in a `blueprint` or `waiting` for approval; none: as usual."""
        if not set(states) <= set(STATES):
            raise ControlError(f"states: there are {', '.join(STATES)}")
        record = self._live(module, id)
        record.states = (record.states & {"converted"}) | set(states)

    def touch(self, module: str, id: str) -> None:  # noqa: A002 - the wire's own word
        """Move a record's modification time without changing anything anybody sees."""
        self._live(module, id).modified = self._org.now()

    def backdate(self, module: str, id: str, seconds: int) -> None:  # noqa: A002
        """Move a record's modification time back, as if the row had become visible late."""
        self._live(module, id).modified -= seconds

    def set_silently(self, module: str, id: str, values: Mapping[str, Any]) -> None:  # noqa: A002
        """Change values without moving the modification time, as formulas and mass updates do."""
        record = self._live(module, id)
        for name in values:
            self._field(module, name)
        record.values = {**record.values, **values}

    # --- tokens and credits -----------------------------------------------------------------

    def expire_access_tokens(self) -> None:
        """Let every access token be dead."""
        self._org.accounts.expire_access_tokens()

    def revoke_refresh_tokens(self) -> None:
        """Revoke every refresh token, as removing the app does."""
        self._org.accounts.revoke_refresh_tokens()

    def spend_credits(self, amount: int) -> None:
        """Use up credits, as other apps of the organisation do."""
        self._org.quota.spend(amount)

    def credits_used(self) -> int:
        """Return the credits used in the last 24 hours."""
        return self._org.quota.used

    # --- people -----------------------------------------------------------------------------

    def add_user(self, email: str, first_name: str = "", last_name: str = "") -> dict[str, Any]:
        """Add a user; return them."""
        user = self._org.users.add(email, first_name, last_name, self._org.now())
        return user_report(self._org, user)

    def deactivate_user(self, id: str) -> None:  # noqa: A002 - the wire's own word
        """Deactivate a user; nothing can be given to them any more."""
        self._leave(id, "disabled")

    def delete_user(self, id: str) -> None:  # noqa: A002 - the wire's own word
        """Delete a user, who stays the owner of what was theirs."""
        self._leave(id, "deleted")

    # --- settings ---------------------------------------------------------------------------

    def add_field(self, module: str, field_label: str, data_type: str, **more: Any) -> str:  # noqa: ANN401
        """Add a custom field, defined as in the settings API; return its api_name."""
        self._records(module)
        given = {"field_label": field_label, "data_type": data_type, **more}
        try:
            return add_field(self._org, module, given).api_name
        except ApiError as error:
            raise ControlError(f"{error.code}: {error.details}") from None

    def rename_field(self, module: str, api_name: str, new_name: str) -> None:
        """Give a field another api_name, as an admin can."""
        self._field(module, api_name)
        self._records(module).rename_field(api_name, new_name)

    def remove_field(self, module: str, api_name: str) -> None:
        """Delete a field, so that writes of it are lost without an error."""
        self._field(module, api_name)
        self._records(module).fields.remove(api_name)

    def remove_option(self, module: str, api_name: str, value: str) -> None:
        """Take a value from a picklist, so that writes of it fail."""
        field = self._field(module, api_name)
        left = tuple(option for option in field.options if option.actual != value)
        self._records(module).fields.put(replace(field, options=left))

    def rename_stage(self, name: str, new_name: str) -> None:
        """Rename a stage in pipelines and deals; no modification time moves."""
        stages, deals = self._org.pipelines.stages, self._records("Deals")
        if name not in stages:
            raise ControlError(f"no stage {name}")
        stage = stages.pop(name)
        stage.actual = stage.display = new_name
        stages[new_name] = stage
        for record in deals.by_id.values():
            if record.values.get("Stage") == name:
                record.values = {**record.values, "Stage": new_name}
        deals.fields.compile()

    def remove_stage(self, pipeline: str, name: str) -> None:
        """Take a stage out of a pipeline; deals that are in it stay there."""
        found = self._org.pipelines.all.get(pipeline)
        if found is None or not any(stage.actual == name for stage in found.stages):
            raise ControlError(f"no stage {name} in a pipeline {pipeline}")
        found.stages = [stage for stage in found.stages if stage.actual != name]

    def translate_stage(self, name: str, text: str) -> None:
        """Show a stage by another text, as an organisation of another language does."""
        stage = self._org.pipelines.stages.get(name)
        if stage is None:
            raise ControlError(f"no stage {name}")
        stage.display = text

    def _leave(self, user_id: str, status: str) -> None:
        user: User | None = self._org.users.all.get(user_id)
        if user is None:
            raise ControlError(f"no user with id {user_id}")
        user.status, user.modified = status, self._org.now()

    def _field(self, module: str, api_name: str) -> Field:
        field = self._records(module).fields.find(api_name)
        if field is None:
            raise ControlError(f"{module} has no field {api_name}")
        return field
