"""Errors: what they say and how they are told apart."""

from __future__ import annotations

import pytest

from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    CrmsyncError,
    OutcomeUnknown,
    Problem,
    RateLimited,
    RetryLater,
    StoreUnavailable,
    Unavailable,
)


@pytest.mark.parametrize("kind", [ConfigError, OutcomeUnknown, RateLimited, StoreUnavailable])
def test_a_class_says_what_it_is_where_nothing_else_is_said(kind):
    """Without a message, an error's words are its class's."""
    assert str(kind()) == kind.__doc__
    assert kind("other words").user_message == "other words"


@pytest.mark.parametrize("kind", [RateLimited, Unavailable])
def test_what_may_be_tried_again_says_when(kind):
    """Both reasons for patience are caught as one, and carry the wait."""
    with pytest.raises(RetryLater) as error:
        raise kind(retry_after_seconds=7.5)
    assert error.value.retry_after_seconds == 7.5
    assert isinstance(error.value, CrmsyncError)


def test_problems_are_shown_with_their_place():
    """A mistake in a file gives file, line, column, the line itself and a caret below the place."""
    problem = Problem("a.yaml", 3, 5, "unknown key 'x'", "    x: 1")
    assert str(problem) == "a.yaml:3:5: unknown key 'x'\n        x: 1\n        ^"
    error = ConfigError(problems=[problem, problem])
    assert str(error).count("a.yaml:3:5") == 2


def test_refusals_carry_what_a_person_needs():
    """A refused batch names code and field, a halted connection its cause and what to do."""
    refused = BatchRejected("no", code="INVALID", field="phone", hint="mend it")
    assert (refused.code, refused.field, refused.hint) == ("INVALID", "phone", "mend it")
    halted = ConnectionHalted("no", cause="missing_scope", hint="grant it")
    assert (halted.cause, halted.hint) == ("missing_scope", "grant it")
