"""What a person is told of an error: what went wrong and, where it is not said, what to do."""

from __future__ import annotations

from crmsync.errors import ConnectionHalted, CrmsyncError, StoreUnavailable, Unavailable


def advice_on(error: CrmsyncError) -> str:
    """Return the words for an error that ended a command."""
    if isinstance(error, StoreUnavailable):
        return f"{error.user_message}; is it running, and is CRMSYNC_DATABASE_URL right?"
    if isinstance(error, ConnectionHalted) and error.hint:
        return f"{error.user_message}: {error.hint}"
    if isinstance(error, Unavailable):
        return f"{error.user_message}; is its base_url right, and can this machine reach it?"
    return error.user_message
