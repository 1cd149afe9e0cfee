"""Answers as Zoho documents them, and what was asked for."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import orjson

API = "https://www.zohoapis.eu"
CONTACTS = f"{API}/crm/v8/Contacts"
UPSERT = f"{CONTACTS}/upsert"
COQL = f"{API}/crm/v8/coql"
FIELDS = f"{API}/crm/v8/settings/fields"
LAYOUTS = f"{API}/crm/v8/settings/layouts"


def described(*names, **more):
    """The description of a module with fields of these names, all of them texts."""
    fields = [{"api_name": name, "data_type": "text", **more.get(name, {})} for name in names]
    return orjson.dumps({"fields": fields})


def answered(*entries):
    """The answer to a write."""
    return orjson.dumps({"data": entries})


def done(crm_id, **more):
    """The entry of a record that was written."""
    return {
        "code": "SUCCESS",
        "details": {"id": crm_id},
        "message": "ok",
        "status": "success",
        **more,
    }


def refused(code="INVALID_DATA", **details):
    """The entry of a record that was not written, or the refusal of a call."""
    return {"code": code, "details": details, "message": "invalid data", "status": "error"}


def rows(*found, more=False):
    """The answer to a list or a query."""
    info = {"count": len(found), "more_records": more}
    return orjson.dumps({"data": found, "info": info})


def calls(api, url):
    """The requests to one address."""
    return [call.request for call in api.calls if call.request.url.partition("?")[0] == url]


def sent(api, url):
    """The bodies of the requests to one address."""
    return [orjson.loads(request.body) for request in calls(api, url)]


def queries(api):
    """The COQL of the queries sent."""
    return [body["select_query"] for body in sent(api, COQL)]


def params(request):
    """The parameters of a request."""
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
