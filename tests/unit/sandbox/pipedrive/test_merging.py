"""Merges: v1's call, v1's shape, one survivor."""

from __future__ import annotations

import pytest


def merge(api, name, path_id, other_id):
    """Merge; return the answer."""
    return api.ok("PUT", f"/v1/{name}/{path_id}/merge", {"merge_with_id": other_id})


def test_the_record_in_the_body_wins(api, control):
    """Its data wins conflicts, its id survives, the addresses of both are kept."""
    code = api.field("F")["field_code"]
    one = api.person("Old", emails=[{"value": "a@x.io"}], custom_fields={code: "1"})
    two = api.person("New", emails=[{"value": "b@x.io"}, {"value": "a@x.io"}])
    deal = api.deal(person_id=one)
    answer = merge(api, "persons", one, two)
    assert (answer["id"], answer["merge_what_id"], answer["name"]) == (two, one, "New")
    survivor = api.ok("GET", f"persons/{two}")
    assert [e["value"] for e in survivor["emails"]] == ["b@x.io", "a@x.io"]
    assert [e["primary"] for e in survivor["emails"]] == [True, False]
    assert survivor["custom_fields"] == {code: "1"}
    assert api.ok("GET", f"deals/{deal}")["person_id"] == two
    assert api.ok("GET", f"persons/{one}")["is_deleted"] is True
    assert api.call("PATCH", f"persons/{one}", {"name": "X"}).status_code == 404
    loser = control.record("persons", str(one))
    assert (loser["merged_into"], loser["archived_at"] is not None) == (str(two), True)


def test_the_id_in_the_path_may_survive(api, control):
    """Which one it is, the answer says."""
    control.settings(merge_survivor="path")
    one, two = api.person("Old"), api.person("New")
    assert merge(api, "persons", one, two)["id"] == one
    assert api.ok("GET", f"persons/{one}")["name"] == "New"


def test_the_answer_is_in_v1s_shape(api):
    """Times with a space, flat custom fields, `email`, and the owner of a deal as `user_id`."""
    tags = api.field("Tags", "set", ("A", "B"))
    money = api.field("Money", "monetary")["field_code"]
    options = [option["id"] for option in tags["options"]]
    values = {tags["field_code"]: options, money: {"value": 5, "currency": "EUR"}}
    one, two = api.person(), api.person(emails=[{"value": "a@x.io"}], custom_fields=values)
    answer = merge(api, "persons", one, two)
    assert answer[tags["field_code"]] == f"{options[0]},{options[1]}"
    assert (answer[money], answer[f"{money}_currency"]) == (5, "EUR")
    assert answer["email"][0]["value"] == "a@x.io"
    assert answer["update_time"][10] == " "
    assert (answer["active_flag"], answer["visible_to"]) == (True, "3")
    deal = merge(api, "deals", api.deal(), api.deal(status="won"))
    assert deal["user_id"] == 18_270_001
    assert deal["won_time"][10] == " "


def test_people_merge_too(api, control):
    """In Pipedrive's own pages."""
    one, two = (api.ok("POST", "organizations", {"name": n})["id"] for n in "AB")
    person = api.person(org_id=one)
    survivor = control.act(
        "merge", object_type="organizations", id=str(one), merge_with_id=str(two)
    )
    assert survivor == str(two)
    assert api.ok("GET", f"persons/{person}")["org_id"] == two


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"merge_with_id": "1"}, 400),
        ({"merge_with_id": 1}, 400),
        ({"merge_with_id": 9}, 404),
    ],
)
def test_a_merge_is_refused(api, body, status):
    """With nobody, with itself, with one that is not there."""
    api.person()
    assert api.call("PUT", "/api/v1/persons/1/merge", body).status_code == status
