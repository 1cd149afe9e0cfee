"""A mapping against the CRM's own description of its fields."""

from __future__ import annotations

import pytest

from crmsync.mapping.live import check_against
from crmsync.model import Directory, FieldSchema, FieldType, ObjectSchema

FIELDS = [
    FieldSchema("crmsync_id", "crmsync id", FieldType.TEXT, unique=True),
    FieldSchema("email", "Email", FieldType.EMAIL, unique=True),
    FieldSchema("firstname", "First Name", FieldType.TEXT, max_length=5),
    FieldSchema("createdate", "Create Date", FieldType.DATETIME, writable=False),
    FieldSchema("total_visits", "Total Visits", FieldType.NUMBER),
    FieldSchema("last_visit", "Last Visit", FieldType.DATE),
    FieldSchema("is_customer", "Is Customer", FieldType.BOOLEAN),
    FieldSchema(
        "lifecyclestage",
        "Lifecycle Stage",
        FieldType.PICKLIST,
        options=(("lead", "Lead"), ("customer", "Customer"), ("65", "Evangelist")),
    ),
    FieldSchema("owner", "Owner", FieldType.REFERENCE),
]
CONTACTS = ObjectSchema("contacts", {field.name: field for field in FIELDS})


def found(mapping, schema=CONTACTS) -> list[str]:
    """Give the problems as `line:column severity message`."""
    return [f"{p.line}:{p.column} {p.severity} {p.message}" for p in check_against(mapping, schema)]


@pytest.mark.parametrize(
    "line",
    [
        "firstname: first_name",
        "email: email",
        "total_visits: visits",
        "total_visits: {from: plan, transform: [number]}",
        "last_visit: last_seen",
        "last_visit: {value: 2026-01-31}",
        "is_customer: {from: plan, map: {pro: true, free: false}}",
        "is_customer: {from: plan, map: {pro: yes}, default: no}",
        "lifecyclestage: {from: plan, map: {free: lead, pro: customer}, default: 65}",
        "lifecyclestage: {from: plan, map: {free: null, pro: customer}}",
        "firstname: {value: Ada}",
        "total_visits: {value: 3}",
        "owner: custom_owner",
    ],
)
def test_what_fits_is_passed_over(load_fields, line):
    """No problem, no warning."""
    assert found(load_fields(line)) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "firstnam: name",
            "5:3 error contacts has no field 'firstnam' (did you mean 'firstname'?)",
        ),
        (
            "First Name: name",
            "5:3 error contacts has no field 'First Name' (did you mean 'firstname'?)",
        ),
        ("xyz: name", "5:3 error contacts has no field 'xyz'; `crmsync fields` lists them"),
        (
            "createdate: created_at",
            "5:3 error 'createdate' (Create Date) cannot be written: the CRM fills it itself",
        ),
        ("total_visits: last_seen", "5:3 error 'total_visits' takes a number, but gets a date"),
        (
            "total_visits: plan",
            (
                "5:3 warning 'total_visits' takes a number, but gets a text; "
                "values that are not one are refused: add `transform: [number]`"
            ),
        ),
        ("last_visit: is_trial", "5:3 error 'last_visit' takes a date, but gets a boolean"),
        ("email: visits", "5:3 error 'email' takes an email, but gets a number"),
        (
            "total_visits: {value: many}",
            "5:3 error 'total_visits' takes a number, which 'many' is not",
        ),
        ("last_visit: {value: soon}", "5:3 error 'last_visit' takes a date, which 'soon' is not"),
        (
            "is_customer: {value: maybe}",
            "5:3 error 'is_customer' takes a boolean, which 'maybe' is not",
        ),
        (
            "lifecyclestage: {from: plan, map: {pro: customr}}",
            "5:3 error 'customr' is not a choice of 'lifecyclestage' (did you mean 'customer'?)",
        ),
        (
            "lifecyclestage: {from: plan, map: {pro: Evangelist}}",
            "5:3 error 'Evangelist' is not a choice of 'lifecyclestage' (did you mean '65'?)",
        ),
        (
            "lifecyclestage: {from: plan, map: {pro: lead}, default: x}",
            "5:3 error 'x' is not a choice of 'lifecyclestage' (it has lead, customer, 65)",
        ),
        (
            "lifecyclestage: plan",
            (
                "5:3 warning 'lifecyclestage' takes only its 3 choices (lead, customer, 65); "
                "any other value is refused: add a `map`"
            ),
        ),
        (
            "firstname: {value: Augusta}",
            "5:3 error 'firstname' takes at most 5 characters; 'Augusta...' has 7",
        ),
    ],
)
def test_what_the_crm_would_refuse_is_found_beforehand(load_fields, line, problem):
    """With the place in the file and what to do."""
    assert found(load_fields(line)) == [problem]


def test_a_match_field_must_exist_and_should_be_unique(load):
    """Otherwise more than one record may be found by it."""
    text = "connection: crm\nobject: contacts\nmatch:\n  ours: profile_id\n  firstname: name\n"
    mapping = load(contacts=f"{text}fields: {{email: email}}\n").mappings[0]
    more = "more than one record may be found by it"
    assert found(mapping) == [
        "4:3 error contacts has no field 'ours'; `crmsync fields` lists them",
        f"5:3 warning 'firstname' is not unique in the CRM: {more}",
    ]


def test_where_no_field_can_be_unique_ours_is_passed_over(load):
    """Its values are unique by themselves; an e-mail is not."""
    text = "connection: crm\nobject: contacts\nmatch: {firstname: profile_id, email: email}\n"
    mapping = load(contacts=f"{text}fields: {{total_visits: visits}}\n").mappings[0]
    plain = FieldSchema("email", "Email", FieldType.EMAIL)
    schema = ObjectSchema("contacts", {**CONTACTS.fields, "email": plain})
    problems = check_against(mapping, schema, knows_unique=False)
    assert [p.message.partition(" is not unique")[0] for p in problems] == ["'email'"]
    assert len(check_against(mapping, schema)) == 2


NEEDED = FieldSchema("lastname", "Last Name", FieldType.TEXT, required=True)
DEMANDING = ObjectSchema("contacts", {**CONTACTS.fields, "lastname": NEEDED})


def test_a_required_field_that_is_not_mapped_is_found(load_fields):
    """Unless the mapping never creates."""
    problem = "1:1 error the CRM requires 'lastname' (Last Name), which is not mapped"
    assert found(load_fields("email: email"), DEMANDING) == [problem]
    assert found(load_fields("email: email", more="mode: update\n"), DEMANDING) == []


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (
            "lastname: last_name",
            (
                "whoever has no last_name is refused; say what it shall be then, as in "
                "`lastname: {from: last_name, default: ...}`"
            ),
        ),
        (
            "lastname: {from: plan, map: {pro: Pro, free: null}}",
            "whoever has no value for it is refused; give it a `default`, and no `when`",
        ),
        (
            'lastname: {from: last_name, default: x, when: plan = "pro"}',
            "whoever has no value for it is refused; give it a `default`, and no `when`",
        ),
    ],
)
def test_a_required_field_that_may_be_empty_is_found(load_fields, line, hint):
    """Before the first such person is refused, and with what to write; whatever the mode."""
    problem = f"5:3 warning the CRM requires 'lastname' (Last Name): {hint}"
    assert found(load_fields(line), DEMANDING) == [problem]
    moved = found(load_fields(line, more="mode: update\n"), DEMANDING)
    assert moved == [problem.replace("5:3", "6:3")]


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ('lastname: {from: last_name, default: "(not known)"}', ""),
        ("lastname: {from: plan, map: {pro: Pro}, default: Some}", ""),
        ("lastname: {value: Li}", ""),
        ("lastname: last_name", 'only: last_name != ""\n'),
        ("lastname: profile_id", ""),
    ],
)
def test_a_required_field_that_is_never_empty_is_passed_over(load_fields, line, more):
    """It has a default, or nobody without it is sent."""
    assert found(load_fields(line, more=more), DEMANDING) == []


PULLING = """\
pull:
  crm_owner: {key}
deals: {{pull: {{deal_stage: {deal}}}}}
"""
DEALS = ObjectSchema("deals", {"dealstage": FieldSchema("dealstage", "Stage", FieldType.TEXT)})


def pulled(load_fields, key="createdate", deal="dealstage", deals=DEALS) -> list[str]:
    """Give the problems of a mapping that reads these fields back."""
    mapping = load_fields("email: email", more=PULLING.format(key=key, deal=deal))
    problems = check_against(mapping, CONTACTS, deals)
    return [f"{p.line}:{p.column} {p.severity} {p.message}" for p in problems]


@pytest.mark.parametrize(
    "key",
    [
        "createdate",
        "lifecyclestage",
        "{from: lifecyclestage, map: {lead: a, customer: b, 65: c}}",
        "{from: owner, map: {ada@b.example: ada}}",
    ],
)
def test_what_can_be_read_back_is_passed_over(load_fields, key):
    """A field that cannot be written may be read."""
    assert pulled(load_fields, key) == []


@pytest.mark.parametrize(
    ("key", "problems"),
    [
        ("createdat", ["5:3 error contacts has no field 'createdat' (did you mean 'createdate'?)"]),
        (
            "{from: lifecyclestage, map: {lead: a, custmer: b}}",
            [
                (
                    "5:3 error 'custmer' is not a choice of 'lifecyclestage' "
                    "(did you mean 'customer'?)"
                ),
                (
                    "5:3 warning `map` does not have every choice of 'lifecyclestage': "
                    "customer, 65 would be reported"
                ),
            ],
        ),
    ],
)
def test_what_cannot_be_read_back_is_found(load_fields, key, problems):
    """A field that is not there, and choices that do not fit the map."""
    assert pulled(load_fields, key) == problems


def test_a_field_of_deals_must_exist_among_those_of_deals(load_fields):
    """By the CRM's description of them."""
    problem = "6:16 error deals has no field 'stage' (did you mean 'dealstage'?)"
    assert pulled(load_fields, deal="stage") == [problem]


def test_a_field_that_goes_both_ways_must_be_writable(load_fields):
    """As any that is sent."""
    (problem,) = found(load_fields("createdate: {from: created_at, conflict: newest}"))
    assert "'createdate' (Create Date) cannot be written" in problem


def test_who_is_known_by_email_is_not_held_against_the_choices(load_fields):
    """Owners and stages are named, whatever ids the CRM lists for them."""
    owner = FieldSchema(
        "owner",
        "Owner",
        FieldType.PICKLIST,
        options=(("1", "Ada"),),
        directory=Directory.OWNERS,
    )
    schema = ObjectSchema("contacts", {**CONTACTS.fields, "owner": owner})
    assert found(load_fields("owner: {value: ada@b.example}"), schema) == []
    assert found(load_fields("owner: custom_owner"), schema) == []


def test_what_on_leave_sets_is_checked_too(load_fields):
    """It is written like any other value."""
    more = 'only: plan = "pro"\non_leave: {set: {lifecyclestage: gone, xyz: 1}}\n'
    assert found(load_fields("email: email", more=more)) == [
        "5:1 error 'gone' is not a choice of 'lifecyclestage' (it has lead, customer, 65)",
        "5:1 error contacts has no field 'xyz'; `crmsync fields` lists them",
    ]
