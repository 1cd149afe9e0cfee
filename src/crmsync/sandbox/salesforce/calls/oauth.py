"""The OAuth endpoints."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.salesforce.authorisations import TokenRefused
from crmsync.sandbox.salesforce.calls.call import Call

_NO_STORE = {"Cache-Control": "no-store"}


def authorize(call: Call) -> Answer:
    """Send the browser back with a code, as if the user had agreed at once."""
    query = {name: values[-1] for name, values in call.request.query.items()}
    return call.org.authorisations.authorize(query)


def token(call: Call) -> Answer:
    """Hand out tokens."""
    try:
        issued = call.org.authorisations.token(call.request, call.own_url)
    except TokenRefused as refused:
        body = {"error": refused.error}
        if call.org.settings.token_error_descriptions:
            body["error_description"] = refused.description
        return Answer.of(400, body, dict(_NO_STORE))
    return Answer.of(200, issued, dict(_NO_STORE))


def revoke(call: Call) -> Answer:
    """Revoke a token."""
    given = call.request.form().get("token") or call.request.one("token") or ""
    if call.org.authorisations.revoke(given):
        return Answer(200)
    return Answer.of(400, {"error": "unsupported_token_type", "error_description": "invalid token"})
