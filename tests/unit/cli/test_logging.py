"""The log never holds credentials, traits or the texts of exceptions."""

from __future__ import annotations

import logging as stdlib

import pytest
import structlog.testing

from crmsync import logging
from crmsync.errors import ConfigError, Unavailable
from crmsync.logging import Outage


@pytest.mark.parametrize(
    ("logged", "kept"),
    [
        ({"authorization": "Bearer abc"}, {"authorization": "***"}),
        ({"api_key": "abc", "keys": ["abc"]}, {"api_key": "***", "keys": "***"}),
        ({"traits": {"email": "a@b.example"}}, {"traits": "***"}),
        ({"detail": "GET /x?api_token=abc&limit=1"}, {"detail": "GET /x?api_token=***&limit=1"}),
        ({"detail": "sent Bearer abc.def-1"}, {"detail": "sent Bearer ***"}),
        ({"url": "postgresql://me:pw@host/x"}, {"url": "postgresql://***@host/x"}),
        ({"nested": {"token": "abc", "ok": 1}}, {"nested": {"token": "***", "ok": 1}}),
        ({"sync": "contacts", "links": 3}, {"sync": "contacts", "links": 3}),
    ],
)
def test_what_must_not_be_logged_is_taken_out(logged, kept):
    """Credentials go by name and by shape, personal data by name; ids and counts stay."""
    assert logging.redact(None, "info", dict(logged)) == kept


def test_a_trace_says_where_and_not_what():
    """An exception's text may quote a trait, so only its type and its frames are kept."""
    with pytest.raises(ValueError, match=r"a@b\.example") as raised:
        int("a@b.example")
    event = logging.redact(None, "error", {"event": "worker_fault", "exc_info": raised.value})
    assert "test_logging.py" in event["trace"]
    assert event["trace"].endswith("ValueError")
    assert "a@b.example" not in str(event)


def test_our_own_errors_keep_their_safe_words():
    """The message of a CrmsyncError holds no secrets, so it may be read in the log."""
    assert logging.trace_of(Unavailable("the CRM is down")).endswith("Unavailable: the CRM is down")


def test_a_level_that_there_is_not_is_refused():
    """A slip in CRMSYNC_LOG_LEVEL is told, not ignored."""
    with pytest.raises(ConfigError, match="debug, info, warning, error"):
        logging.set_up("loud")


def test_a_library_that_logs_whole_urls_is_not_heard(capsys, monkeypatch):
    """A query holds what was searched for, which is an address; urllib3 warns with all of it."""
    root, library = stdlib.getLogger(), stdlib.getLogger("urllib3")
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(library, "level", library.level)
    logging.set_up("debug")
    for level in (stdlib.WARNING, stdlib.ERROR):
        stdlib.getLogger("urllib3.connection").log(level, "level %s: ?term=a@b.example", level)
    structlog.reset_defaults()
    heard = capsys.readouterr().err
    assert "level 40" in heard
    assert "level 30" not in heard


def test_an_outage_is_told_once_then_seldom_and_when_it_ends():
    """However often it is tried: a line at once, one every ten minutes, one when it is back."""
    now = [0.0]
    outage = Outage("broker", meanwhile="the sweep serves", clock=lambda: now[0])
    with structlog.testing.capture_logs() as told:
        for second in range(0, 1_500, 5):
            now[0] = float(second)
            outage.missed("refused")
        outage.answered()
        outage.answered()
    assert [(one["event"], one["away_seconds"]) for one in told] == [
        ("broker_away", 0), ("broker_away", 600), ("broker_away", 1200), ("broker_back", 1495),
    ]  # fmt: skip
    assert told[0]["why"] == "refused"
    assert told[0]["meanwhile"] == "the sweep serves"
