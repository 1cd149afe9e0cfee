"""Rate limits: two of them, one answer."""

from __future__ import annotations

import pytest

SEARCH = "persons/search?term=ann"
REFRESH = {"grant_type": "refresh_token", "refresh_token": "1:1:sandbox-refresh-token"}
CLIENT = ("sandbox-client-id", "sandbox-client-secret")


@pytest.fixture(autouse=True)
def _limited(control):
    """Limits are in force."""
    control.settings(limits=True)


def access_token(api):
    """Return an OAuth access token."""
    answer = api.session.post(api.url + "/oauth/token", data=REFRESH, auth=CLIENT, timeout=10)
    return answer.json()["access_token"]


@pytest.mark.parametrize(
    ("tier", "user", "app"),
    [("lite", 20, 80), ("growth", 40, 160), ("premium", 100, 400), ("ultimate", 120, 480)],
)
def test_each_tier_has_its_bursts(api, control, tier, user, app):
    """Users' tokens have fewer calls per 2 s than apps."""
    control.settings(tier=tier)
    assert api.call("GET", "pipelines").headers["x-ratelimit-limit"] == str(user)
    headers = {"x-api-token": None, "Authorization": f"Bearer {access_token(api)}"}
    response = api.call("GET", "pipelines", headers=headers)
    assert response.headers["x-ratelimit-limit"] == str(app)


def test_the_burst_window_rolls(api, control):
    """The call after the limit is refused until 2 s after the first; nothing is charged for it."""
    control.settings(calls_per_2s=3)
    left = [api.call("GET", "pipelines").headers["x-ratelimit-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    response = api.call("POST", "persons", {"name": "A"})
    assert response.status_code == 429
    assert response.json()["error"] == "Rate limit exceeded"
    assert "Retry-After" not in response.headers
    assert control.about()["objects"]["persons"] == 0
    assert control.act("tokens_left") == 30_000 - 3 * 5
    control.advance(2)
    assert api.call("GET", "pipelines").status_code == 200


def test_each_token_has_its_own_window_and_all_share_the_day(api, control):
    """A second user is not refused for the first one's bursts, but for the company's tokens."""
    control.settings(calls_per_2s=1, daily_tokens=10)
    other = {"x-api-token": "f" * 40}
    assert api.call("GET", "pipelines").status_code == 200
    assert api.call("GET", "pipelines", headers=other).status_code == 200
    control.advance(2)
    assert api.call("GET", "pipelines").status_code == 429


def test_searches_have_a_window_of_their_own(api, control):
    """Ten in 2 s whatever the tier, apart from all other calls."""
    control.settings(calls_per_2s=1)
    statuses = [api.call("GET", SEARCH).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert api.call("GET", "pipelines").status_code == 200


@pytest.mark.parametrize(
    ("call", "cost"),
    [
        (("GET", "persons/1", None), 1),
        (("GET", "persons", None), 10),
        (("GET", "persons?limit=500", None), 10),
        (("GET", "stages", None), 5),
        (("GET", "deals/archived", None), 20),
        (("POST", "persons", {"name": "A"}), 5),
        (("POST", "persons", {}), 5),
        (("PATCH", "persons/1", {"name": "A"}), 5),
        (("DELETE", "persons/1", None), 3),
        (("GET", SEARCH, None), 20),
        (("GET", "/v1/users", None), 20),
        (("GET", "/v1/users/me", None), 2),
        (("GET", "/api/v1/users/find?term=ada", None), 40),
        (("PUT", "/v1/persons/1/merge", {"merge_with_id": 2}), 40),
    ],
)
def test_each_call_has_its_price(api, control, call, cost):
    """Tokens are taken by call, not by row, and for refused calls too."""
    api.call(*call)
    assert control.act("tokens_left") == 30_000 - cost


@pytest.mark.parametrize(
    ("settings", "budget"),
    [
        ({}, 30_000),
        ({"tier": "growth", "seats": 3}, 180_000),
        ({"tier": "premium", "top_up_tokens": 50}, 150_050),
        ({"tier": "ultimate"}, 210_000),
        ({"tier": "ultimate", "daily_tokens": 7}, 7),
    ],
)
def test_the_budget_follows_the_plan(control, settings, budget):
    """Tokens per seat, times the plan's multiplier, and what was bought."""
    control.settings(**settings)
    assert control.act("tokens_left") == budget


def test_a_day_that_is_used_up_looks_like_a_burst(api, control):
    """Body and headers of the two 429s are the same; only midnight helps."""
    control.settings(calls_per_2s=1)
    api.ok("GET", "pipelines")
    burst = api.call("GET", "pipelines")
    control.advance(2)
    control.act("spend_tokens", tokens=29_990)
    api.ok("GET", "persons")
    control.advance(2)
    day = api.call("GET", "pipelines")
    assert (burst.status_code, day.status_code) == (429, 429)
    assert burst.json() == day.json()
    told = [dict(answer.headers) | {"Date": "any"} for answer in (burst, day)]
    assert told[0] == told[1]
    control.advance(2)
    assert api.call("GET", "pipelines").status_code == 429
    control.advance(86_400)
    assert api.call("GET", "pipelines").status_code == 200


def test_daily_headers_are_a_matter_of_luck(api, control):
    """The undocumented headers are absent unless asked for; then an empty day shows."""
    assert "x-daily-ratelimit-token-limit" not in api.call("GET", "pipelines").headers
    control.settings(daily_header_probability=1.0, daily_tokens=10)
    headers = api.call("GET", "stages").headers
    assert headers["x-daily-ratelimit-token-limit"] == "10"
    assert headers["x-daily-ratelimit-token-remaining"] == "0"
    refused = api.call("GET", "stages")
    assert refused.status_code == 429
    assert refused.headers["x-daily-ratelimit-token-remaining"] == "0"
    assert "x-daily-requests-left" not in refused.headers


def test_a_post_tells_what_is_left_of_the_day(api):
    """An API token is told with each POST."""
    assert api.call("POST", "persons", {"name": "A"}).headers["x-daily-requests-left"] == "29995"


def test_who_ignores_429s_meets_cloudflare(api, control):
    """After so many refusals an API token gets an HTML page, even where it has calls left."""
    control.settings(calls_per_2s=0, refusals_before_block=3, block_seconds=60)
    assert [api.call("GET", "pipelines").status_code for _ in range(3)] == [429] * 3
    control.settings(calls_per_2s=10)
    blocked = api.call("GET", "pipelines")
    assert blocked.status_code == 403
    assert blocked.headers["Content-Type"].startswith("text/html")
    assert b"Cloudflare" in blocked.content
    assert api.call("GET", "pipelines", headers={"x-api-token": "f" * 40}).status_code == 200
    control.advance(60)
    assert api.call("GET", "pipelines").status_code == 200


def test_who_waits_after_a_429_does_not(api, control):
    """Refusals that are far apart are forgiven."""
    control.settings(calls_per_2s=0, refusals_before_block=3)
    for _ in range(6):
        assert api.call("GET", "pipelines").status_code == 429
        control.advance(5)


def test_apps_are_not_blocked(api, control):
    """Cloudflare's page is for API tokens."""
    headers = {"x-api-token": None, "Authorization": f"Bearer {access_token(api)}"}
    control.settings(calls_per_2s=0, refusals_before_block=2)
    statuses = [api.call("GET", "pipelines", headers=headers).status_code for _ in range(4)]
    assert statuses == [429] * 4


def test_a_retry_after_is_sent_where_set(api, control):
    """The header is not documented, so it has a switch."""
    control.settings(calls_per_2s=0, retry_after_seconds=2)
    assert api.call("GET", "pipelines").headers["Retry-After"] == "2"
