"""The OAuth endpoints: v1, v3 and the date-based ones, which are v3 under another name."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.accounts import TokenRefused
from crmsync.sandbox.hubspot.calls.call import Call


def authorize(call: Call) -> Answer:
    """Send the browser back with a code, as if the user had agreed at once."""
    query = {name: values[-1] for name, values in call.request.query.items()}
    return call.portal.accounts.authorize(query)


def token(call: Call) -> Answer:
    """Hand out tokens."""
    try:
        issued = call.portal.accounts.token(call.request.form())
    except TokenRefused as refused:
        return refused.answer
    return Answer.of(200, issued)


def introspect(call: Call) -> Answer:
    """Say what a token is good for."""
    return Answer.of(200, call.portal.accounts.introspect(call.request.form().get("token", "")))


def revoke(call: Call) -> Answer:
    """Revoke a token."""
    call.portal.accounts.revoke(call.request.form().get("token", ""))
    return Answer.of(200, {})


def access_token_info(call: Call) -> Answer:
    """Describe an access token, by v1."""
    info = call.portal.accounts.access_info(call.path["token"])
    if info is None:
        raise errors.ApiError(404, "access token does not exist", errors.NOT_FOUND)
    return Answer.of(200, info)


def refresh_token_info(call: Call) -> Answer:
    """Describe a refresh token, by v1."""
    info = call.portal.accounts.refresh_info(call.path["token"])
    if info is None:
        raise errors.ApiError(404, "refresh token does not exist", errors.NOT_FOUND)
    return Answer.of(200, info)


def delete_refresh_token(call: Call) -> Answer:
    """Revoke a refresh token, by v1."""
    call.portal.accounts.revoke(call.path["token"])
    return Answer(204)
