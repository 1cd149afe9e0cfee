"""What the ledger remembers, counts and hides."""

from __future__ import annotations

import pytest

CONTACTS = "/crm/v3/objects/contacts"


def test_an_entry_tells_request_and_answer(api, control):
    """An entry has the parsed bodies, the status and the sizes; the token is a fingerprint."""
    api.contact("a@x.io")
    (entry,) = control.ledger()
    assert entry["method"] == "POST"
    assert entry["route"] == "/crm/v3/objects/{type}"
    assert entry["body"] == {"properties": {"email": "a@x.io"}}
    assert entry["answer"]["id"] == "100001"
    assert (entry["status"], entry["applied"]) == (201, True)
    assert entry["bytes_in"] == 35
    assert entry["bytes_out"] > 300
    assert entry["headers"]["authorization"].startswith("Bearer sha256:")
    assert "pat-na1" not in str(entry)


def test_secrets_of_token_calls_are_hidden(api, control):
    """Neither the client secret nor a token stands in the ledger."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": "na1-sandbox-refresh-token",
        "client_id": "sandbox-client-id",
        "client_secret": "sandbox-client-secret",
    }
    token = api.session.post(f"{api.url}/oauth/v1/token", data=form, timeout=10).json()
    api.ok("GET", f"/oauth/v1/access-tokens/{token['access_token']}")
    text = str(control.ledger())
    assert "sandbox-client-secret" not in text
    assert "sandbox-refresh-token" not in text
    assert token["access_token"] not in text


def test_entries_are_selected_by_what_they_say(api, control):
    """`since`, method, path pattern, status and effect narrow the selection."""
    api.contact("a@x.io")
    api.call("POST", CONTACTS, {"properties": {"email": "bad"}})
    api.ok("GET", CONTACTS)
    assert control.calls() == 3
    assert control.calls(since=1) == 2
    assert control.calls(method="POST") == 2
    assert control.calls(path="*/companies") == 0
    assert control.calls(status=400) == 1
    assert control.calls(applied=True, method="POST") == 1


def test_counts_outlive_forgotten_entries(api, control):
    """The ledger keeps so many entries; the counts know all."""
    control.settings(ledger_entries=2)
    for _ in range(5):
        api.ok("GET", CONTACTS)
    assert [entry["seq"] for entry in control.ledger()] == [4, 5]
    control.overlook()
    assert control.counts() == [
        {"method": "GET", "route": "/crm/v3/objects/{type}", "status": 200, "calls": 5}
    ]


def test_bodies_can_be_left_out(api, control):
    """Without bodies the entry still tells everything else."""
    control.settings(ledger_bodies=False)
    api.contact("a@x.io")
    (entry,) = control.ledger()
    assert (entry["body"], entry["answer"]) == (None, None)
    assert (entry["status"], entry["bytes_in"]) == (201, 35)
    control.overlook()


def test_peak_counts_the_fullest_window(api, control):
    """The peak is over any window, not over fixed ones."""
    for _ in range(3):
        api.ok("GET", CONTACTS)
    control.advance(60)
    for _ in range(2):
        api.ok("GET", CONTACTS)
    assert control.peak(30) == 3
    assert control.peak(120) == 5


def test_waiting_ends_when_time_is_up(control):
    """A wait for what never comes says so."""
    assert not control.wait(1, timeout_seconds=0.05)


def test_controls_are_not_in_the_ledger(control):
    """Only the CRM's own calls count."""
    control.about()
    assert control.calls() == 0


def test_reset_forgets_everything_but_settings(api, control):
    """After a reset the account is as on its first day, under the settings in force."""
    control.settings(tier="professional")
    api.contact("a@x.io")
    control.fault("drop")
    control.reset()
    assert control.about() == {
        "objects": {"contacts": 0, "companies": 0, "deals": 0},
        "faults": 0,
        "requests": 1,
    }
    assert control.calls() == 0
    assert control.settings()["tier"] == "professional"
    assert api.contact("a@x.io") == "100001"


@pytest.mark.parametrize("setting", [{"latency": 1}, {"tier": "gold"}, {"search_lag_seconds": "x"}])
def test_a_wrong_setting_is_refused_by_name(control, setting):
    """An unknown setting or a wrong value changes nothing and is named."""
    before = control.settings()
    with pytest.raises(Exception, match=next(iter(setting))):
        control.settings(**setting)
    assert control.settings() == before
