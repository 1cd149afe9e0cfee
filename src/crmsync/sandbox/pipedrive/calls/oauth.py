"""The OAuth endpoints. Pipedrive has them on a host of their own."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive.accounts import TokenRefused
from crmsync.sandbox.pipedrive.calls.call import Call

_FORM = "application/x-www-form-urlencoded"


def authorize(call: Call) -> Answer:
    """Send the browser back with a code, as if the user had agreed at once."""
    query = {name: values[-1] for name, values in call.request.query.items()}
    return call.company.accounts.authorize(query)


def token(call: Call) -> Answer:
    """Hand out tokens."""
    headers = call.request.headers
    is_form = headers.get("content-type", "").startswith(_FORM)
    form = call.request.form() if is_form else {}
    address = f"http://{headers.get('host', '')}"
    try:
        issued = call.company.accounts.token(headers.get("authorization", ""), form, address)
    except TokenRefused as refused:
        return refused.answer
    return Answer.of(200, issued)
