"""What a first connection and a first mapping look like in each CRM, as data: `crmsync init`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Starter:
    """A first connection, and what people become there."""

    object_type: str = "contacts"
    match_field: str = "crmsync_id"
    """The unique field of ours."""
    email_field: str = "email"
    further_fields: Mapping[str, str] = field(default_factory=dict)
    """Theirs: ours, in YAML: what no record may be without."""
    owner_field: str | None = None
    """Whose record it is: a first thing to read back."""
    limit: str = "concurrent_calls: 4"
    """An example of what `limits` takes, in YAML."""
    has_oauth: bool = False
    """Whether `auth` is a grant that somebody agrees to, rather than a token."""

    def variables(self, name: str) -> tuple[str, ...]:
        """Return the environment variables that hold the secrets of a connection of this name."""
        prefix = name.upper().replace("-", "_")
        if self.has_oauth:
            return f"{prefix}_CLIENT_ID", f"{prefix}_CLIENT_SECRET"
        return (f"{prefix}_TOKEN",)

    def auth(self, name: str) -> str:
        """Return what stands under `auth` for a connection of this name, in YAML."""
        values = [f'"${{{variable}}}"' for variable in self.variables(name)]
        if self.has_oauth:
            return f"{{oauth: {{client_id: {values[0]}, client_secret: {values[1]}}}}}"
        return f"{{token: {values[0]}}}"


STARTERS = {
    "hubspot": Starter(owner_field="hubspot_owner_id", limit="calls_per_10s: 190"),
    "pipedrive": Starter(
        "persons",
        further_fields={"name": '{from: name, default: "(not known)"}'},
        owner_field="owner_id",
        limit="calls_per_2s: 40",
    ),
    "salesforce": Starter(
        "Contact",
        match_field="crmsync_id__c",
        email_field="Email",
        further_fields={"LastName": '{from: last_name, default: "(not known)"}'},
        owner_field="OwnerId",
        limit="daily_calls: 100000",
        has_oauth=True,
    ),
    "zoho": Starter(
        "Contacts",
        email_field="Email",
        further_fields={"Last_Name": '{from: last_name, default: "(not known)"}'},
        owner_field="Owner",
        limit="daily_credits: 50000, concurrent_calls: 10",
        has_oauth=True,
    ),
}
"""By connector; any other is like `Starter()`."""


def starter_of(connector: str) -> Starter:
    """Return what a first connection by a connector looks like."""
    return STARTERS.get(connector, Starter())
