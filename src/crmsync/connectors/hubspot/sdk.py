"""HubSpot's properties through hubspot-api-client, whose requests go over our own transport.

The SDK knows the paths and the models; its HTTP layer has no total deadline, no shared rate limit
and its own idea of errors, so `_Rest` stands in for it. The SDK is imported on first use: it costs
about 0.1 s and 14 MB, which a command that speaks to no HubSpot need not pay.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from crmsync.connectors.answers import UNREADABLE, Answer, Effect
from crmsync.connectors.http import Transport
from crmsync.connectors.hubspot.errors import refuse
from crmsync.errors import BatchRejected, ConfigError, Unavailable
from crmsync.model import Directory, FieldSchema, FieldType, ObjectSchema

DEALS = "deals"
STANDARD_TYPES: Mapping[str, tuple[str, ...]] = {
    "contacts": ("contacts", "contact", "0-1"),
    "companies": ("companies", "company", "0-2"),
    DEALS: (DEALS, "deal", "0-3"),
}
GROUPS: Mapping[str, str] = {
    "contacts": "contactinformation",
    "companies": "companyinformation",
    DEALS: "dealinformation",
}
"""The property group every account has, where our own fields are shown."""
STAGE = "dealstage"
OWNER = "OWNER"
"""What the properties whose values are ids of owners refer to, those of one's own making too."""
TEXT_LENGTH = 65_536
"""Characters of a text property: HubSpot knowledge base, "Property field types", read 2026-10."""

# (type, fieldType) of a property -> ours; "" stands for any fieldType
TYPES: Mapping[tuple[str, str], FieldType] = {
    ("string", ""): FieldType.TEXT,
    ("string", "phonenumber"): FieldType.PHONE,
    ("phone_number", ""): FieldType.PHONE,
    ("number", ""): FieldType.NUMBER,
    ("bool", ""): FieldType.BOOLEAN,
    ("enumeration", ""): FieldType.PICKLIST,
    ("enumeration", "booleancheckbox"): FieldType.BOOLEAN,
    ("enumeration", "checkbox"): FieldType.MULTI_PICKLIST,
    ("date", ""): FieldType.DATE,
    ("datetime", ""): FieldType.DATETIME,
}
# ours -> (type, fieldType) of a property that we make
CREATES: Mapping[FieldType, tuple[str, str]] = {
    FieldType.TEXT: ("string", "text"),
    FieldType.EMAIL: ("string", "text"),
    FieldType.PHONE: ("string", "phonenumber"),
    FieldType.NUMBER: ("number", "number"),
    FieldType.BOOLEAN: ("bool", "booleancheckbox"),
    FieldType.DATE: ("date", "date"),
    FieldType.DATETIME: ("datetime", "date"),
    FieldType.PICKLIST: ("enumeration", "select"),
    FieldType.MULTI_PICKLIST: ("enumeration", "checkbox"),
    FieldType.REFERENCE: ("string", "text"),
}


def standard_type(object_type: str) -> str:
    """Return `contacts`, `companies` or `deals` for any spelling of one, else the name itself."""
    lower = object_type.lower()
    return next((name for name, known in STANDARD_TYPES.items() if lower in known), lower)


def describe(http: Transport, version: str, object_type: str) -> ObjectSchema:
    """Return an object's properties; raises ConfigError when the account has no such object."""
    try:
        page = _api(http, version, object_type).get_all(object_type, archived=False)
        fields = {entry.name: _field(entry, object_type) for entry in page.results}
    except BatchRejected as refusal:
        raise ConfigError(f"'{object_type}': {refusal.user_message}") from refusal
    except (*UNREADABLE, _sdk().OpenApiException):
        fields = {}
    if not fields or not all(fields):
        raise Unavailable(f"the properties of '{object_type}' have another shape than documented")
    return ObjectSchema(object_type, fields)


def create_property(http: Transport, version: str, object_type: str, field: FieldSchema) -> None:
    """Make a property; one of the same name stays as it is. Raises ConfigError."""
    group = GROUPS.get(standard_type(object_type))
    if group is None:
        raise ConfigError(f"make the property '{field.name}' of '{object_type}' in HubSpot by hand")
    kind, control = CREATES[field.type]
    body = {
        "name": field.name,
        "label": field.label,
        "type": kind,
        "fieldType": control,
        "groupName": group,
        "hasUniqueValue": field.unique,
        "options": _options(field),
    }
    try:
        # What HubSpot says of the new property is of no use here, so the SDK need not read it.
        _api(http, version, object_type).create(
            object_type, property_create=body, _preload_content=False
        )
    except BatchRejected as refusal:
        raise ConfigError(
            f"HubSpot does not make the property '{field.name}': {refusal.user_message}"
        ) from refusal


def _options(field: FieldSchema) -> list[dict[str, Any]]:
    choices: Sequence[tuple[str, str]] = field.options
    if field.type is FieldType.BOOLEAN:
        choices = (("true", "Yes"), ("false", "No"))
    return [{"value": value, "label": label, "hidden": False} for value, label in choices]


def _field(entry: Any, object_type: str) -> FieldSchema:  # noqa: ANN401 (the SDK is untyped)
    """Return what a property's description says of it."""
    kind = TYPES.get((entry.type, entry.field_type)) or TYPES.get((entry.type, ""), FieldType.TEXT)
    is_email = entry.name == "email" and standard_type(object_type) == "contacts"
    if is_email:
        kind = FieldType.EMAIL
    elif entry.referenced_object_type:
        kind = FieldType.REFERENCE
    locked = entry.modification_metadata and entry.modification_metadata.read_only_value
    return FieldSchema(
        name=entry.name,
        label=entry.label or entry.name,
        type=kind,
        writable=not (locked or entry.calculated),
        unique=bool(entry.has_unique_value) or is_email,
        max_length=TEXT_LENGTH if entry.type == "string" else None,
        options=tuple((option.value, option.label) for option in entry.options or ()),
        directory=_directory(entry, object_type),
    )


def _directory(entry: Any, object_type: str) -> Directory | None:  # noqa: ANN401 (the SDK is untyped)
    """Return what the property's one value is the id of."""
    if standard_type(object_type) == DEALS and entry.name == STAGE:
        return Directory.STAGES
    is_owner = entry.referenced_object_type == OWNER and entry.field_type != "checkbox"
    return Directory.OWNERS if is_owner else None


def _api(http: Transport, version: str, object_type: str) -> Any:  # noqa: ANN401 (the SDK is untyped)
    """Return the SDK's properties calls over our transport."""
    sdk = _sdk()
    settings = sdk.Configuration(host="")
    # The server leaves out parts that the SDK holds to be required.
    settings.client_side_validation = False
    client = sdk.ApiClient(configuration=settings)
    client.rest_client = _Rest(http, version, object_type)
    return sdk.CoreApi(client)


def _sdk() -> Any:  # noqa: ANN401 (the SDK is untyped)
    return importlib.import_module("hubspot.crm.properties")


class _Rest:
    """What the SDK takes for its HTTP layer: GET and POST of JSON, errors already sorted out."""

    def __init__(self, http: Transport, version: str, object_type: str) -> None:
        self._http = http
        self._version = version
        self._object_type = object_type

    def GET(self, url: str, *, query_params: Any = (), **_: object) -> _SdkAnswer:  # noqa: ANN401, N802 (the SDK's name and types)
        params = {name: str(value).lower() for name, value in query_params or ()}
        path = self._dated(url)
        answer = self._http.request("GET", path, effect=Effect.READ, params=params)
        return self._accepted(answer)

    def POST(self, url: str, *, body: Any = None, **_: object) -> _SdkAnswer:  # noqa: ANN401, N802 (the SDK's name and types)
        path = self._dated(url)
        answer = self._http.request("POST", path, effect=Effect.WRITE, json=body)
        return self._accepted(answer)

    def _accepted(self, answer: Answer) -> _SdkAnswer:
        """Return an answer for the SDK to read; raise what any other than success means.

        409 counts as success: the property exists, and the caller asked for nothing more.
        """
        if not answer.ok and answer.status != HTTPStatus.CONFLICT:
            refuse(answer, object_type=self._object_type)
        answer.json()
        return _SdkAnswer(answer)

    def _dated(self, url: str) -> str:
        """Return the path in the family of our version; the SDK knows `/crm/v3/{area}/...`."""
        path = urlsplit(url).path
        _, crm, _, area, rest = path.split("/", 4)
        if self._version.startswith("v"):
            return f"/{crm}/{self._version}/{area}/{rest}"
        return f"/{crm}/{area}/{self._version}/{rest}"


class _SdkAnswer:
    """An answer in the shape that the SDK's reader expects."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.data: bytes | str = answer.body
        self._headers = answer.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        return self._headers.get(name, default)

    def getheaders(self) -> Mapping[str, str]:
        return self._headers
