"""The accounts server: consent, codes and tokens."""

from __future__ import annotations

from urllib.parse import urlencode

from crmsync.sandbox.http import HTML, Answer
from crmsync.sandbox.zoho.accounts import TokenRefused
from crmsync.sandbox.zoho.calls.call import Call


def authorize(call: Call) -> Answer:
    """Send the user back with a code, as they do who click on "Accept"."""
    query = {name: values[-1] for name, values in call.request.query.items()}
    try:
        code = call.org.accounts.grant_code(query)
    except TokenRefused as refusal:
        page = f"<html><head><title>Error</title></head><body>{refusal}</body></html>"
        return Answer(400, page.encode(), HTML)
    settings = call.org.settings
    if settings.consent == "refuse":
        fields = {"error": "access_denied"}
    else:
        fields = {
            "code": code,
            "location": settings.data_centre,
            "accounts-server": _own_url(call),
        }
    if "state" in query:
        fields["state"] = query["state"]
    redirect_uri = query["redirect_uri"]
    joint = "&" if "?" in redirect_uri else "?"
    return Answer(302, headers={"Location": f"{redirect_uri}{joint}{urlencode(fields)}"})


def token(call: Call) -> Answer:
    """Exchange a code or a refresh token, sent in the query or as a form."""
    query = {name: values[-1] for name, values in call.request.query.items()}
    form = {**query, **call.request.form()}
    try:
        issued = call.org.accounts.token(form, call.request, _own_url(call))
    except TokenRefused as refusal:
        return Answer.of(call.org.settings.oauth_error_status, refusal.body)
    return Answer.of(200, issued)


def _own_url(call: Call) -> str:
    return f"http://{call.request.headers.get('host', '127.0.0.1')}"
