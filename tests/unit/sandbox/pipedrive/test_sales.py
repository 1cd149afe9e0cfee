"""Pipelines and stages of v2, users of v1."""

from __future__ import annotations

ADA = 18_270_001


def test_pipelines_and_stages_are_listed(api, control):
    """Won and lost are no stages; a pipeline's own may be asked for."""
    assert [p["name"] for p in api.ok("GET", "pipelines")] == ["Pipeline", "Renewals"]
    assert [s["id"] for s in api.ok("GET", "stages?pipeline_id=2")] == [6, 7]
    names = [s["name"] for s in api.ok("GET", "stages?sort_by=order_nr&sort_direction=desc")]
    assert names[0] == "Negotiations"
    new = control.act("add_stage", pipeline_id=2, name="Won back")
    control.act("rename_stage", id=new, name="Back")
    assert api.ok("GET", f"stages/{new}")["name"] == "Back"
    control.act("delete_stage", id=new)
    assert api.call("GET", f"stages/{new}").status_code == 404
    assert api.call("GET", "pipelines/9").status_code == 404
    api.refused("GET", "stages?pipeline=2")


def test_users_are_listed_whole(api):
    """In v1's shape, deactivated ones too."""
    users = api.ok("GET", "/v1/users")
    assert [user["active_flag"] for user in users] == [True, True, True, False]
    assert users[0]["is_you"] is True
    assert users[0]["created"][10] == " "
    assert api.ok("GET", f"/v1/users/{ADA}") == users[0]
    assert api.call("GET", "/v1/users/1").status_code == 404


def test_users_are_found(api, control):
    """By name or address; nobody is null, as integrators report."""
    control.act("add_user", name="Eve New", email="eve@company.example")
    assert [u["name"] for u in api.ok("GET", "/v1/users/find?term=eve")] == ["Eve New"]
    assert api.ok("GET", "/v1/users/find?term=company") is None
    by_email = api.ok("GET", "/v1/users/find?term=ada.sales@&search_by_email=1")
    assert [user["id"] for user in by_email] == [ADA]
    control.settings(empty_v1_lists_null=False)
    assert api.ok("GET", "/v1/users/find?term=nobody") == []
    assert api.call("GET", "/v1/users/find?term=a").status_code == 400


def test_me_names_the_company(api, control):
    """Its domain leads to the company's host."""
    control.settings(company_domain="acme")
    me = api.ok("GET", "/api/v1/users/me")
    assert (me["id"], me["company_domain"], me["is_you"]) == (ADA, "acme", True)
