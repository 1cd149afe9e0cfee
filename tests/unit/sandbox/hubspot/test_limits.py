"""Rate limits: three policies, real headers, real bodies."""

from __future__ import annotations

import pytest

CONTACTS = "/crm/v3/objects/contacts"
SEARCH = f"{CONTACTS}/search"


def refused(response, policy, words):
    """Whether a response is the 429 of a policy."""
    body = response.json()
    return (
        response.status_code == 429
        and body["errorType"] == "RATE_LIMIT"
        and body["policyName"] == policy
        and body["message"] == f"You have reached your {words} limit."
        and "Retry-After" not in response.headers
    )


def test_the_burst_window_rolls(api, control):
    """The call after the limit is refused until the first has left the window."""
    control.settings(calls_per_10s=3)
    remaining = [
        api.call("GET", CONTACTS).headers["X-HubSpot-RateLimit-Remaining"] for _ in range(3)
    ]
    assert remaining == ["2", "1", "0"]
    assert refused(api.call("GET", CONTACTS), "TEN_SECONDLY_ROLLING", "ten_secondly_rolling")
    control.advance(10)
    assert api.call("GET", CONTACTS).status_code == 200
    assert control.calls(applied=False) == 1


@pytest.mark.parametrize(
    ("settings", "burst", "daily"),
    [
        ({"tier": "free"}, "100", "250000"),
        ({"tier": "professional"}, "190", "625000"),
        ({"tier": "enterprise"}, "190", "1000000"),
        ({"tier": "enterprise", "limit_increase": True}, "250", "2000000"),
        ({"tier": "marketplace"}, "110", None),
    ],
)
def test_each_tier_has_its_limits(api, control, settings, burst, daily):
    """The headers tell the tier's limits; marketplace apps have no daily one."""
    control.settings(**settings)
    headers = api.call("GET", CONTACTS).headers
    assert headers["X-HubSpot-RateLimit-Max"] == burst
    assert headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert headers.get("X-HubSpot-RateLimit-Daily") == daily
    assert headers["X-HubSpot-Correlation-Id"]


def test_each_token_has_its_own_window_and_all_share_the_day(api, control):
    """A second app is not refused for the first one's bursts, but for its daily calls."""
    control.settings(calls_per_10s=1, daily_calls=2)
    other = {"Authorization": "Bearer pat-na1-other"}
    assert api.call("GET", CONTACTS).status_code == 200
    assert api.call("GET", CONTACTS, headers=other).status_code == 200
    assert refused(api.call("GET", CONTACTS), "DAILY", "daily")


def test_the_day_ends_at_the_accounts_midnight(api, control):
    """The daily quota is full again a day later."""
    control.settings(daily_calls=1)
    api.ok("GET", CONTACTS)
    assert refused(api.call("GET", CONTACTS), "DAILY", "daily")
    control.advance(86_400)
    api.ok("GET", CONTACTS)


def test_searches_have_a_bucket_of_their_own(api, control):
    """Five a second for all apps together, without headers, apart from the burst window."""
    control.settings(calls_per_10s=1)
    responses = [api.call("POST", SEARCH, {}) for _ in range(6)]
    assert [r.status_code for r in responses] == [200] * 5 + [429]
    assert refused(responses[-1], "SECONDLY", "secondly")
    assert not [name for name in responses[0].headers if "RateLimit" in name]
    api.ok("GET", CONTACTS)
    control.advance(1)
    api.ok("POST", SEARCH, {})


def test_a_refused_search_can_be_bare(api, control):
    """As in recorded traffic, the body may lack its type and policy."""
    control.settings(search_per_second=0, search_429_bare=True)
    body = api.call("POST", SEARCH, {}).json()
    assert "errorType" not in body
    assert "policyName" not in body


def test_associations_have_a_window_of_their_own(api, control):
    """Association calls are counted apart from the others."""
    control.settings(calls_per_10s=1, association_calls_per_10s=1)
    path = "/crm/v4/associations/contacts/companies/batch/read"
    assert api.call("POST", path, {"inputs": []}).status_code == 200
    assert api.call("POST", path, {"inputs": []}).status_code == 429
    assert api.call("GET", CONTACTS).status_code == 200


def test_limits_can_be_switched_off(api, control):
    """Without limits nothing is refused and no header speaks of any."""
    control.settings(limits=False, calls_per_10s=0)
    assert "X-HubSpot-RateLimit-Max" not in api.call("GET", CONTACTS).headers


def test_a_retry_after_is_sent_where_set(api, control):
    """The header is not promised, so it has a switch."""
    control.settings(calls_per_10s=0, retry_after_seconds=7)
    assert api.call("GET", CONTACTS).headers["Retry-After"] == "7"
