"""From facts to the record a CRM should hold, and from a change to the triggers it sets off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.mapping.compiled import Conflict, Mode
from crmsync.mapping.configuration import load_configuration
from crmsync.mapping.render import is_addressable, render, triggers_for
from crmsync.mapping.triggers import REALTIME, Trigger, TriggerKind
from crmsync.model import ProfileKind

HEAD = "connection: crm\nobject: contacts\nmatch: {crmsync_id: profile_id, email: email}\n"
HOURLY, DAILY = Trigger(TriggerKind.HOURLY), Trigger(TriggerKind.DAILY)
UPGRADE = Trigger(TriggerKind.EVENT, events=frozenset({"plan_upgraded"}))


@pytest.mark.parametrize(
    ("line", "facts", "expected"),
    [
        ("f: plan", {"plan": "pro"}, "pro"),
        ("f: plan", {}, None),
        ("f: plan", {"plan": None}, None),
        ("f: tags", {"tags": ["a"]}, ["a"]),
        ("f: {from: visits}", {"visits": 0}, 0),
        ("f: {from: name, transform: [trim, lower]}", {"name": " Ada "}, "ada"),
        ("f: {from: name, transform: upper}", {"name": "Ada"}, "ADA"),
        ("f: {from: name, transform: [{truncate: 2}]}", {"name": "Ada"}, "Ad"),
        ("f: {from: name, transform: {truncate: 2}}", {"name": "Ada"}, "Ad"),
        ("f: {from: revenue, transform: [round]}", {"revenue": 2.5}, 3),
        ("f: {from: name, transform: [trim]}", {}, None),
        ("f: {from: plan, default: free}", {}, "free"),
        ("f: {from: plan, default: free}", {"plan": ""}, "free"),
        ("f: {from: visits, default: 1}", {"visits": 0}, 0),
        ("f: {from: name, transform: [trim], default: x}", {"name": "  "}, "x"),
        ("f: {from: plan, map: {pro: P, free: F}, default: L}", {"plan": "pro"}, "P"),
        ("f: {from: plan, map: {pro: P, free: F}, default: L}", {"plan": "other"}, "L"),
        ("f: {from: plan, map: {pro: P, free: F}, default: L}", {}, "L"),
        ("f: {from: plan, map: {pro: P}}", {}, None),
        ("f: {from: plan, map: {free: null, pro: P}}", {"plan": "free"}, None),
        ("f: {from: plan, map: {pro: P}, default: null}", {"plan": "other"}, None),
        ("f: {from: is_trial, map: {true: T, false: F}}", {"is_trial": False}, "F"),
        ("f: {from: visits, map: {1: one}}", {"visits": 1.0}, "one"),
        ("f: {from: plan, transform: [lower], map: {pro: P}}", {"plan": "PRO"}, "P"),
        ('f: {template: "{name} ({visits})"}', {"name": "Ada", "visits": 2}, "Ada (2)"),
        ('f: {template: "{name}", transform: [upper]}', {"name": "Ada"}, "ADA"),
        ('f: {template: "{name}", default: x}', {}, "x"),
        ("f: {value: 5}", {}, 5),
        ("f: {value: false}", {}, False),
    ],
)
def test_what_a_field_makes(load_fields, line, facts, expected):
    """The table of docs/mapping.md; an absent fact makes None, which clears."""
    desired = render(load_fields(line), facts)
    assert desired.fields == {"f": expected}
    assert type(desired.fields["f"]) is type(expected)
    assert desired.unusable == {}


@pytest.mark.parametrize(
    ("line", "facts", "reason"),
    [
        ("f: {from: plan, map: {pro: P}}", {"plan": "secret"}, "not in `map`"),
        ("f: {from: tags, map: {pro: P}, default: x}", {"tags": ["a"]}, "a list cannot be mapped"),
        ("f: {from: tags, map: {pro: P}, default: x}", {"tags": {}}, "cannot be written as text"),
        ("f: {from: name, transform: [number]}", {"name": "secret"}, "not a number"),
        ("f: {from: last_seen, transform: [date]}", {"last_seen": "secret"}, "not a date"),
        ('f: {template: "{tags}"}', {"tags": {"a": "secret"}}, "cannot be written as text"),
    ],
)
def test_a_value_that_cannot_be_made_is_left_out_and_reported(load_fields, line, facts, reason):
    """Neither cleared nor sent as it is; the other fields go on, and no value is repeated."""
    desired = render(load_fields(f"{line}\ng: email"), {**facts, "email": "a@b.example"})
    assert desired.fields == {"g": "a@b.example"}
    assert list(desired.unusable) == ["f"]
    assert reason in desired.unusable["f"]
    assert "secret" not in desired.unusable["f"]


def test_a_field_whose_when_does_not_hold_is_left_out(load_fields):
    """Left as it is in the CRM: neither written nor cleared."""
    mapping = load_fields('greeting: {template: "{first_name} of {company}", when: company != ""}')
    assert render(mapping, {"first_name": "Ada"}).fields == {}
    facts = {"first_name": "Ada", "company": "Acme"}
    assert render(mapping, facts).fields == {"greeting": "Ada of Acme"}


def test_fields_keep_the_order_of_the_file(load_fields):
    """So do plans and logs."""
    mapping = load_fields("c: plan\na: {value: 1}\nb: name")
    assert list(render(mapping, {}).fields) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        (
            {"profile_id": "p1", "email": " a@b.example "},
            {"crmsync_id": "p1", "email": "a@b.example"},
        ),
        ({"email": "a@b.example"}, {"email": "a@b.example"}),
        ({"profile_id": 7, "email": ""}, {"crmsync_id": "7"}),
        ({"profile_id": None, "email": "  "}, {}),
        ({"email": {"odd": 1}}, {}),
        ({}, {}),
    ],
)
def test_match_keys_are_texts_in_the_order_of_the_file(load, facts, match):
    """A profile without any is not addressable, and never sent."""
    mapping = load(contacts=f"{HEAD}fields: {{email: email}}\n").mappings[0]
    assert list(render(mapping, facts).match.items()) == list(match.items())
    assert is_addressable(mapping, facts) is bool(match)


@pytest.mark.parametrize(
    ("leave", "left"),
    [
        ("keep", {}),
        ("clear", {"plan": None, "visits": None}),
        ("{set: {plan: gone, other: 1}}", {"plan": "gone", "other": 1}),
    ],
)
def test_out_of_scope_the_fields_are_what_to_leave_behind(load, leave, left):
    """`clear` spares the fields by which the record is found."""
    text = f'{HEAD}only: plan = "pro"\non_leave: {leave}\n'
    text += "fields: {email: email, plan: plan, visits: visits}\n"
    mapping = load(contacts=text).mappings[0]
    outside = render(mapping, {"email": "a@b.example", "plan": "free"})
    assert not outside.in_scope
    assert outside.fields == left
    assert outside.match == {"email": "a@b.example"}
    inside = render(mapping, {"plan": "pro"})
    assert inside.in_scope
    assert inside.fields == {"email": None, "plan": "pro", "visits": None}


@pytest.mark.parametrize(
    ("changed", "triggers"),
    [
        (["visits"], {HOURLY}),
        (["visits", "last_seen"], {HOURLY, DAILY}),
        (["name"], {REALTIME}),
        (["company"], {UPGRADE}),
        (["revenue"], {UPGRADE}),
        (["profile_id"], {REALTIME}),
        (["plan"], {REALTIME}),
        (["sessions", "unknown"], set()),
        ([], set()),
    ],
)
def test_a_change_sets_off_the_triggers_of_exactly_what_reads_it(load_fields, changed, triggers):
    """A field's own, else the file's; for match and only the file's."""
    mapping = load_fields(
        """\
        name: name
        visits: {from: visits, trigger: hourly}
        last: {from: last_seen, trigger: daily}
        greeting: {template: "of {company}", when: revenue > 1, trigger: {event: [plan_upgraded]}}
        """,
        more='only: plan != "free"\n',
    )
    assert triggers_for(mapping, changed) == triggers
    assert mapping.event_names == {"plan_upgraded"}
    assert mapping.reads == {
        "name", "visits", "last_seen", "company", "revenue", "profile_id", "plan",
    }  # fmt: skip


def test_a_segment_in_only_is_its_condition(load_fields):
    """What its condition reads marks the links, and membership follows the facts."""
    mapping = load_fields("email: email", more='only: segment = "paying" AND visits > 1\n')
    assert {"plan", "visits"} <= mapping.reads
    assert "segment" not in mapping.reads
    assert render(mapping, {"plan": "pro", "visits": 2}).in_scope
    assert not render(mapping, {"plan": "free", "visits": 2}).in_scope
    other = load_fields("email: email", more='only: segment != "paying"\n')
    assert render(other, {"plan": "free"}).in_scope


def test_the_parts_of_a_mapping(load_fields):
    """What the other rooms read."""
    mapping = load_fields(
        "phone: {from: phone, conflict: only_if_empty}",
        more="mode: insert\ntrigger: [hourly, {event: [plan_upgraded]}]\n",
    )
    assert mapping.mode is Mode.INSERT
    assert mapping.source is ProfileKind.PERSON
    assert mapping.triggers == {HOURLY, UPGRADE}
    (field,) = mapping.fields
    assert field.conflict is Conflict.ONLY_IF_EMPTY
    assert str(field.place.file) == "mappings/contacts.yaml"


BASE = "a: name\nb: {from: plan, map: {pro: P, free: F}, default: L}\n"


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ("b: {default: L, map: {free: F, pro: P}, from: plan}\na: name\n", ""),
        ("# a comment\na: {from: name}\nb: {from: plan, map: {pro: P, free: F}, default: L}\n", ""),
        (BASE, "trigger: realtime\nmode: upsert\nsource: profiles\non_leave: keep\n"),
        (BASE, "trigger: [realtime, realtime]\n"),
    ],
)
def test_the_hash_ignores_what_means_the_same(load_fields, fields, more):
    """Comments, the order of fields, long forms and defaults written out."""
    assert load_fields(fields, more=more).hash == load_fields(BASE).hash


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ("a: email\nb: {from: plan, map: {pro: P, free: F}, default: L}\n", ""),
        ("a: name\nb: {from: plan, map: {pro: P, free: X}, default: L}\n", ""),
        ("a: name\nb: {from: plan, map: {pro: P, free: F}, default: X}\n", ""),
        ("a: name\nb: {from: plan, map: {pro: P, free: F}}\n", ""),
        ("a: name\nb: {from: plan, map: {pro: P, free: F}, default: null}\n", ""),
        ("a: name\nb: {from: plan, map: {pro: P, free: F}, default: L, transform: [trim]}\n", ""),
        ("a: name\nb: {from: plan, map: {pro: P, free: F}, default: L, trigger: daily}\n", ""),
        ("a: name\nb: {from: plan, map: {pro: P, free: F}, default: L, when: visits > 1}\n", ""),
        (
            BASE.replace("name", "{from: name, conflict: only_if_empty}"),
            "",
        ),
        (BASE, "only: visits > 1\n"),
        (BASE, "mode: update\n"),
        (BASE, "trigger: hourly\n"),
        (BASE, 'only: segment = "paying"\n'),
    ],
)
def test_the_hash_changes_with_the_meaning(load_fields, fields, more):
    """Then the mapping's links are marked and looked at again."""
    assert load_fields(fields, more=more).hash != load_fields(BASE).hash


def test_the_hash_changes_with_the_condition_of_a_segment_it_names(load):
    """The segment stands in another file, and still decides who is sent."""
    text = f'{HEAD}only: segment = "vip"\nfields: {{a: name}}\n'
    project = "connections: {crm: {connector: memory}}\nsegments: {vip: visits > %d}\n"
    first = load(project % 1, contacts=text).mappings[0]
    second = load(project % 2, contacts=text).mappings[0]
    assert first.hash != second.hash


FACTS = st.dictionaries(
    st.sampled_from(
        ["profile_id", "email", "name", "plan", "company", "visits", "last_seen", "tags"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=5,
    ),
)


@given(FACTS)
def test_no_profile_makes_rendering_fail(every_kind_of_field, facts):
    """Every field is made, left out or reported."""
    desired = render(every_kind_of_field, facts)
    names = {field.name for field in every_kind_of_field.fields}
    assert set(desired.fields) | set(desired.unusable) <= names
    assert all(desired.match.values())


@pytest.fixture(scope="module")
def every_kind_of_field(tmp_path_factory):
    """A mapping that uses all there is."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "mappings").mkdir()
    (folder / "crmsync.yaml").write_text("connections: {crm: {connector: memory}}\n")
    (folder / "mappings" / "m.yaml").write_text(
        f"""{HEAD}only: NOT plan = "gone" OR visits > 3
fields:
  a: name
  b: {{from: name, transform: [trim, title, {{truncate: 10}}]}}
  c: {{from: last_seen, transform: [date]}}
  d: {{from: plan, map: {{pro: P}}, default: L, when: company != ""}}
  e: {{template: "{{name}} {{tags}} {{visits}}"}}
  f: {{from: tags, transform: [join, upper]}}
  g: {{from: visits, transform: [{{round: 2}}]}}
"""
    )
    known = dict.fromkeys(["profile_id", "email", "name", "plan", "company", "tags"], "any")
    return load_configuration(
        folder / "crmsync.yaml",
        {},
        known_facts={**known, "visits": "any", "last_seen": "any"},
        connectors=["memory"],
    ).mappings[0]
