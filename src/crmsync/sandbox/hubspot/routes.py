"""Which call answers which path, what scope it needs and which rate limit counts it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot.calls import (
    associations,
    batch,
    oauth,
    objects,
    properties,
    sales,
    search,
)
from crmsync.sandbox.hubspot.calls.call import Call
from crmsync.sandbox.hubspot.quota import Pool
from crmsync.sandbox.hubspot.wire import object_type, semantic_path

Area = Literal["objects", "schemas", "pipelines", "owners", "account", "open"]
"""Whose scopes a call needs; `account` needs a token only, `open` not even that."""


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method."""

    method: str
    path: str
    """With what varies in braces."""
    answer: Callable[[Call], Answer]
    area: Area
    access: Literal["read", "write"]
    pool: Pool

    def scopes(self, path: dict[str, str]) -> tuple[str, ...]:
        """Return the scopes of which the caller needs one; none needed where empty."""
        if self.area in ("open", "account"):
            return ()
        if self.area == "owners":
            return ("crm.objects.owners.read",)
        name = object_type(path.get("type") or path.get("from") or "")
        if name is None:
            return ()
        if self.area == "objects":
            return (f"crm.objects.{name}.{self.access}",)
        if self.access == "read":
            return (f"crm.objects.{name}.read", f"crm.schemas.{name}.read")
        return (f"crm.schemas.{name}.write",)


_O = "/crm/v3/objects/{type}"
_A = "/crm/v4/associations/{from}/{to}"
_S = "/crm/v4/objects/{type}/{id}/associations"
_P = "/crm/v3/properties/{type}"
_L = "/crm/v3/pipelines/{type}"
_V3 = "/oauth/v3/token"
_V1 = "/oauth/v1"

_R = Route
ROUTES = (
    _R("POST", f"{_O}/batch/upsert", batch.upsert_batch, "objects", "write", "api"),
    _R("POST", f"{_O}/batch/update", batch.update_batch, "objects", "write", "api"),
    _R("POST", f"{_O}/batch/create", batch.create_batch, "objects", "write", "api"),
    _R("POST", f"{_O}/batch/read", batch.read_batch, "objects", "read", "api"),
    _R("POST", f"{_O}/batch/archive", batch.archive_batch, "objects", "write", "api"),
    _R("POST", f"{_O}/search", search.search_records, "objects", "read", "search"),
    _R("POST", f"{_O}/merge", objects.merge_records, "objects", "write", "api"),
    _R("POST", f"{_O}/gdpr-delete", objects.erase_contact, "objects", "write", "api"),
    _R("GET", _O, objects.list_records, "objects", "read", "api"),
    _R("POST", _O, objects.create_record, "objects", "write", "api"),
    _R("GET", f"{_O}/{{id}}", objects.read_record, "objects", "read", "api"),
    _R("PATCH", f"{_O}/{{id}}", objects.update_record, "objects", "write", "api"),
    _R("DELETE", f"{_O}/{{id}}", objects.archive_record, "objects", "write", "api"),
    _R("POST", f"{_A}/batch/associate/default", associations.associate_default_batch,
       "objects", "write", "associations"),
    _R("POST", f"{_A}/batch/create", associations.create_batch,
       "objects", "write", "associations"),
    _R("POST", f"{_A}/batch/read", associations.read_batch, "objects", "read", "associations"),
    _R("POST", f"{_A}/batch/archive", associations.archive_batch,
       "objects", "write", "associations"),
    _R("POST", f"{_A}/batch/labels/archive", associations.archive_labels_batch,
       "objects", "write", "associations"),
    _R("GET", f"{_A}/labels", associations.list_labels, "objects", "read", "api"),
    _R("POST", f"{_A}/labels", associations.create_label, "objects", "write", "api"),
    _R("PUT", f"{_S}/default/{{to}}/{{to_id}}", associations.associate_default,
       "objects", "write", "associations"),
    _R("GET", f"{_S}/{{to}}", associations.list_associated, "objects", "read", "associations"),
    _R("PUT", f"{_S}/{{to}}/{{to_id}}", associations.associate,
       "objects", "write", "associations"),
    _R("DELETE", f"{_S}/{{to}}/{{to_id}}", associations.dissociate,
       "objects", "write", "associations"),
    _R("GET", _P, properties.list_properties, "schemas", "read", "api"),
    _R("POST", _P, properties.create_property, "schemas", "write", "api"),
    _R("POST", f"{_P}/batch/create", properties.create_batch, "schemas", "write", "api"),
    _R("POST", f"{_P}/batch/read", properties.read_batch, "schemas", "read", "api"),
    _R("POST", f"{_P}/batch/archive", properties.archive_batch, "schemas", "write", "api"),
    _R("GET", f"{_P}/groups", properties.list_groups, "schemas", "read", "api"),
    _R("POST", f"{_P}/groups", properties.create_group, "schemas", "write", "api"),
    _R("GET", f"{_P}/groups/{{name}}", properties.read_group, "schemas", "read", "api"),
    _R("GET", f"{_P}/{{name}}", properties.read_property, "schemas", "read", "api"),
    _R("PATCH", f"{_P}/{{name}}", properties.update_property, "schemas", "write", "api"),
    _R("DELETE", f"{_P}/{{name}}", properties.archive_property, "schemas", "write", "api"),
    _R("GET", "/crm/v3/owners", sales.list_owners, "owners", "read", "api"),
    _R("GET", "/crm/v3/owners/{id}", sales.read_owner, "owners", "read", "api"),
    _R("GET", _L, sales.list_pipelines, "pipelines", "read", "api"),
    _R("POST", _L, sales.create_pipeline, "pipelines", "write", "api"),
    _R("GET", f"{_L}/{{id}}", sales.read_pipeline, "pipelines", "read", "api"),
    _R("PATCH", f"{_L}/{{id}}", sales.update_pipeline, "pipelines", "write", "api"),
    _R("DELETE", f"{_L}/{{id}}", sales.delete_pipeline, "pipelines", "write", "api"),
    _R("GET", f"{_L}/{{id}}/stages", sales.list_stages, "pipelines", "read", "api"),
    _R("POST", f"{_L}/{{id}}/stages", sales.create_stage, "pipelines", "write", "api"),
    _R("GET", f"{_L}/{{id}}/stages/{{stage}}", sales.read_stage, "pipelines", "read", "api"),
    _R("PATCH", f"{_L}/{{id}}/stages/{{stage}}", sales.update_stage, "pipelines", "write", "api"),
    _R("DELETE", f"{_L}/{{id}}/stages/{{stage}}", sales.delete_stage,
       "pipelines", "write", "api"),
    _R("GET", "/account-info/v3/details", sales.account_details, "account", "read", "api"),
    _R("GET", "/oauth/authorize", oauth.authorize, "open", "read", "api"),
    _R("POST", f"{_V1}/token", oauth.token, "open", "write", "api"),
    _R("GET", f"{_V1}/access-tokens/{{token}}", oauth.access_token_info, "open", "read", "api"),
    _R("GET", f"{_V1}/refresh-tokens/{{token}}", oauth.refresh_token_info, "open", "read", "api"),
    _R("DELETE", f"{_V1}/refresh-tokens/{{token}}", oauth.delete_refresh_token,
       "open", "write", "api"),
    _R("POST", _V3, oauth.token, "open", "write", "api"),
    _R("POST", f"{_V3}/introspect", oauth.introspect, "open", "read", "api"),
    _R("POST", f"{_V3}/revoke", oauth.revoke, "open", "write", "api"),
)  # fmt: skip


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "/?")


_BY_METHOD: dict[str, list[tuple[re.Pattern[str], Route]]] = {}
for _route in ROUTES:
    _BY_METHOD.setdefault(_route.method, []).append((_pattern(_route.path), _route))


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a path in either spelling, and what varies in it."""
    semantic = semantic_path(path)
    for pattern, route in _BY_METHOD.get(method, ()):
        match = pattern.fullmatch(semantic)
        if match is not None:
            return route, match.groupdict()
    return None
