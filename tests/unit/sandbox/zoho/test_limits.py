"""Credits of a rolling day, and places for calls under way: one 429 for both."""

from __future__ import annotations

import threading

import pytest
import requests

HEADER = "X-API-CREDITS-REMAINING"
ROW = {"Last_Name": "Li"}


def rows(count):
    """That many contacts."""
    return {"data": [{**ROW, "Email": f"a{n}@x.io"} for n in range(count)]}


@pytest.mark.parametrize(
    ("call", "cost"),
    [
        (("POST", "/Contacts/upsert", rows(1)), 1),
        (("POST", "/Contacts/upsert", rows(10)), 1),
        (("POST", "/Contacts/upsert", rows(11)), 2),
        (("POST", "/Contacts", rows(100)), 10),
        (("PUT", "/Contacts", rows(95)), 10),
        (("POST", "/Contacts", {"data": "nonsense"}), 1),
        (("GET", "/Contacts?fields=Email", None), 1),
        (("GET", "/Contacts?fields=Email&cvid=1", None), 3),
        (("GET", "/Contacts/deleted", None), 2),
        (("GET", "/org", None), 1),
        (("POST", "/coql", {"select_query": "select id from Leads where id > 1 limit 200"}), 1),
        (("POST", "/coql", {"select_query": "select id from Leads where id > 1 limit 201"}), 2),
        (("POST", "/coql", {"select_query": "select id from Leads where id > 1 limit 2000"}), 3),
    ],
)
def test_calls_have_their_price(api, control, call, cost):
    """One credit for ten records or for a call; lists of deleted records and views cost more."""
    api.call(*call)
    assert control.act("credits_used") == cost


def test_credits_run_out_and_come_back_a_day_after_each_was_used(api, control):
    """The window rolls: nothing happens at midnight."""
    control.settings(credits_per_day=3)
    assert api.get("/org").status_code == 200
    control.advance(43_200)
    assert api.get("/org").headers[HEADER] == "1"
    assert api.get("/org").headers[HEADER] == "0"
    refused = api.get("/org")
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert "Retry-After" not in refused.headers
    control.advance(43_201)
    assert api.get("/org").status_code == 200
    assert api.get("/org").status_code == 429


def test_what_is_left_is_told_from_the_half_on(api, control):
    """Before that there is no header."""
    control.settings(credits_per_day=10)
    control.act("spend_credits", amount=3)
    assert HEADER not in api.get("/org").headers
    assert api.get("/org").headers[HEADER] == "5"


@pytest.mark.parametrize(
    ("tier", "users", "credit_limit"),
    [
        ("free", 3, 5_000),
        ("standard", 4, 51_000),
        ("standard", 1_000, 100_000),
        ("enterprise", 10, 60_000),
        ("ultimate", 10_000, 20_050_000),
    ],
)
def test_editions_differ(api, control, tier, users, credit_limit):
    """Each has its credits, more with every user, up to a bound."""
    control.settings(tier=tier, users=users)
    control.act("spend_credits", amount=credit_limit - 1)
    assert api.get("/org").headers[HEADER] == "0"
    assert api.get("/org").status_code == 429


@pytest.mark.parametrize(
    ("settings", "path", "body"),
    [
        ({"concurrency": 2}, "/Contacts/upsert", rows(1)),
        ({"sub_concurrency": 2}, "/Contacts/upsert", rows(11)),
        ({"sub_concurrency": 2}, "/coql", {"select_query": "select id from Leads where id > 1"}),
    ],
)
def test_too_many_at_once_are_refused_like_too_many_a_day(api, control, settings, path, body):
    """A call counts until its answer is out; a refused one does not."""
    control.settings(**settings)
    url = f"{api.url}/crm/v8{path}"
    headers = dict(api.session.headers)

    def call():
        requests.post(url, json=body, headers=headers, timeout=10)

    fault = control.fault("hold", when="after", path=f"/crm/v8{path}", times=2)
    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert control.wait(2, applied=True)
    refused = api.call("POST", path, body)
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    small = api.call("POST", "/Leads/upsert", {"data": [{}]})
    assert (small.status_code == 429) is ("concurrency" in settings)
    control.release(fault)
    for thread in threads:
        thread.join(10)
    assert api.call("POST", path, body).status_code in (200, 204)


def test_the_lowest_edition_takes_five_at_once(api, control):
    """So many calls under way are let in, and the sixth is not."""
    control.settings(tier="free")
    fault = control.fault("hold", when="after", path="*/org", times=5)
    url = f"{api.url}/crm/v8/org"
    headers = dict(api.session.headers)
    threads = [
        threading.Thread(target=lambda: requests.get(url, headers=headers, timeout=10))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    assert control.wait(5, applied=True)
    assert api.get("/org").status_code == 429
    control.release(fault)
    for thread in threads:
        thread.join(10)
    assert api.get("/org").status_code == 200


def test_limits_can_be_switched_off(api, control):
    """Then nothing is counted and nothing refused."""
    control.settings(limits=False, credits_per_day=0, concurrency=0)
    assert api.get("/org").status_code == 200
    assert control.act("credits_used") == 0
