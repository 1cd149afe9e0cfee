"""Values of custom fields: what each type takes, gives back and refuses."""

from __future__ import annotations

import pytest

ADA = 18_270_001


@pytest.mark.parametrize(
    ("field_type", "value"),
    [
        ("varchar", "abc"),
        ("varchar_auto", "abc"),
        ("text", "x" * 65_000),
        ("phone", "+44 1"),
        ("double", 1.25),
        ("double", 7),
        ("monetary", {"value": 500, "currency": "EUR"}),
        ("date", "2026-02-28"),
        ("daterange", {"value": "2026-01-01", "until": "2026-02-01"}),
        ("user", ADA),
        ("people", 1),
    ],
)
def test_a_value_comes_back_as_it_was(api, field_type, value):
    """What is right is kept unchanged, and null clears it."""
    person = api.person()
    code = api.field("F", field_type)["field_code"]
    written = api.ok("PATCH", f"persons/{person}", {"custom_fields": {code: value}})
    assert written["custom_fields"] == {code: value}
    assert api.ok("GET", f"persons/{person}")["custom_fields"] == {code: value}
    cleared = api.ok("PATCH", f"persons/{person}", {"custom_fields": {code: None}})
    assert cleared["custom_fields"] == {code: None}


@pytest.mark.parametrize(
    ("field_type", "value"),
    [
        ("varchar", 5),
        ("varchar", "x" * 256),
        ("text", "x" * 65_001),
        ("phone", ["1"]),
        ("double", "1.25"),
        ("double", True),
        ("monetary", 500),
        ("monetary", {"value": "500", "currency": "EUR"}),
        ("monetary", {"value": 500}),
        ("monetary", {"value": 500, "currency": "euro"}),
        ("date", "2026-02-30"),
        ("date", "2026-02-03T00:00:00Z"),
        ("daterange", {"value": "2026-01-01"}),
        ("time", "09:00:00"),
        ("time", {"value": "9:00"}),
        ("time", {"value": "24:00:00"}),
        ("timerange", {"value": "09:00:00"}),
        ("user", "18270001"),
        ("user", 1),
        ("org", 99),
        ("people", True),
        ("address", "1 Main St"),
        ("address", {"country": "UK"}),
        ("address", {"value": "1 Main St", "planet": "Mars"}),
    ],
)
def test_a_value_is_refused(api, field_type, value):
    """What is wrong is a 400 that names the code of the field."""
    code = api.field("F", field_type)["field_code"]
    words = api.refused("POST", "persons", {"name": "A", "custom_fields": {code: value}})
    assert words.startswith("Validation failed: custom_fields: ")
    assert f"{field_type} custom field '{code}'" in words


def test_times_know_their_zone(api):
    """A time takes the zone of the caller where it names none, and reads back with its number."""
    code = api.field("F", "time")["field_code"]
    body = {"name": "A", "custom_fields": {code: {"value": "09:00:00"}}}
    value = api.ok("POST", "persons", body)["custom_fields"][code]
    assert (value["value"], value["timezone_name"]) == ("09:00:00", "Europe/London")
    assert isinstance(value["timezone_id"], int)


def test_an_address_has_all_its_parts(api):
    """The parts left out are null."""
    code = api.field("F", "address")["field_code"]
    body = {"name": "A", "custom_fields": {code: {"value": "1 Main St", "country": "UK"}}}
    value = api.ok("POST", "persons", body)["custom_fields"][code]
    assert (value["value"], value["country"], value["route"]) == ("1 Main St", "UK", None)
    assert "formatted_address" in value


def test_an_enum_takes_the_id_of_an_option(api):
    """Not its label, not the id as text, not an id of another field."""
    field, other = api.field("Tier", "enum", ("Gold", "Silver")), api.field("T", "enum", ("Gold",))
    code, gold = field["field_code"], field["options"][0]["id"]
    person = api.person(custom_fields={code: gold})
    assert api.ok("GET", f"persons/{person}")["custom_fields"][code] == gold
    for wrong in ("Gold", str(gold), [gold], True, 1.5):
        words = api.refused("PATCH", f"persons/{person}", {"custom_fields": {code: wrong}})
        assert f"Expected 'number' as value for single option custom field '{code}'" in words
    foreign = other["options"][0]["id"]
    assert code in api.refused("PATCH", f"persons/{person}", {"custom_fields": {code: foreign}})


def test_a_set_takes_ids_and_is_cleared_with_null(api):
    """An empty list is refused, and so are labels."""
    field = api.field("Tags", "set", ("A", "B"))
    code, ids = field["field_code"], [option["id"] for option in field["options"]]
    person = api.person(custom_fields={code: ids})
    assert api.ok("GET", f"persons/{person}")["custom_fields"][code] == ids
    for wrong in ([], ["A"], ids[0], "1,2", [str(ids[0])]):
        words = api.refused("PATCH", f"persons/{person}", {"custom_fields": {code: wrong}})
        assert f"multiple options custom field '{code}'" in words
    assert api.ok("PATCH", f"persons/{person}", {"custom_fields": {code: None}})[
        "custom_fields"
    ] == {code: None}


def test_options_may_come_with_their_labels(api):
    """`include_option_labels` shows both."""
    tier, tags = api.field("Tier", "enum", ("Gold",)), api.field("Tags", "set", ("A",))
    gold, a = tier["options"][0], tags["options"][0]
    values = {tier["field_code"]: gold["id"], tags["field_code"]: [a["id"]]}
    person = api.person(custom_fields=values)
    read = api.ok("GET", f"persons/{person}?include_option_labels=true")
    assert read["custom_fields"] == {tier["field_code"]: gold, tags["field_code"]: [a]}


def test_a_write_leaves_other_fields_alone(api):
    """Only the fields named are written."""
    one, two = (api.field(name)["field_code"] for name in ("F", "F"))
    person = api.person(custom_fields={one: "1", two: "2"})
    after = api.ok("PATCH", f"persons/{person}", {"custom_fields": {two: "3"}})
    assert after["custom_fields"] == {one: "1", two: "3"}


def test_only_some_fields_may_be_asked_for(api):
    """`custom_fields` in the query names them, 15 at most."""
    one, two = (api.field(name)["field_code"] for name in ("F", "G"))
    person = api.person(custom_fields={one: "1", two: "2"})
    assert api.ok("GET", f"persons/{person}?custom_fields={two}")["custom_fields"] == {two: "2"}
    many = ",".join("a" * 40 for _ in range(16))
    assert "at most 15" in api.refused("GET", f"persons?custom_fields={many}")
