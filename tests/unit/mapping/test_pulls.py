"""What is read back: traits from fields, the two-way lines of `fields:`, and deals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.mapping.compiled import Conflict, Drift, NoneOpen, OnDelete, OnMerge, Pick
from crmsync.mapping.render import render
from crmsync.mapping.reversal import Irreversible, reversed_field
from crmsync.mapping.spec import FieldKeys
from crmsync.mapping.values import Kind, Unusable

SENT = "email: email\nphone: phone\nstage: {from: plan, map: {free: lead, pro: customer}}\n"


def pull_of(mapping, trait):
    """Give the one pull into a trait."""
    (found,) = [pull for pull in mapping.pulls if pull.trait == trait]
    return found


@pytest.mark.parametrize(
    ("line", "conflict"),
    [
        ("owner: owner_id", Conflict.THEIRS),
        ("owner: {from: owner_id}", Conflict.THEIRS),
        ("owner: {from: owner_id, conflict: newest}", Conflict.NEWEST),
        ("owner: {from: owner_id, conflict: only_if_empty}", Conflict.ONLY_IF_EMPTY),
    ],
)
def test_a_field_that_is_only_read(load_fields, line, conflict):
    """Its value becomes the trait's as it is."""
    mapping = load_fields(SENT, more=f"pull: {{{line}}}\n")
    (pull,) = mapping.pulls
    assert (pull.trait, pull.name, pull.conflict) == ("owner", "owner_id", conflict)
    assert not pull.is_pushed
    assert (pull.place.line, pull.place.column) == (4, 8)
    assert mapping.read_fields == ("email", "phone", "stage", "owner_id")


@pytest.mark.parametrize(
    ("value", "trait"),
    [("ada@b.example", "ada@b.example"), (5, 5), (False, False), (["a", "b"], ["a", "b"])],
)
def test_a_plain_pull_copies(load_fields, value, trait):
    """Whatever sort of value it is."""
    (pull,) = load_fields(SENT, more="pull: {owner: owner_id}\n").pulls
    assert pull.back(value) == trait


@pytest.mark.parametrize("empty", [None, "", []])
@pytest.mark.parametrize("line", ["tier", "{from: tier, map: {A: pro}}"])
def test_an_empty_field_clears_the_trait(load_fields, line, empty):
    """With a `map` as without."""
    (pull,) = load_fields(SENT, more=f"pull: {{their_tier: {line}}}\n").pulls
    assert pull.back(empty) is None


@pytest.mark.parametrize(
    ("values", "theirs", "ours"),
    [
        ("{A: pro, B: free}", "A", "pro"),
        ("{1: 5, 2: 10}", 1, 5),
        ("{true: in, false: out}", True, "in"),
        ("{Yes: in, No: out}", False, "out"),
        ("{A: null, B: free}", "A", None),
    ],
)
def test_a_map_puts_our_word_for_theirs(load_fields, values, theirs, ours):
    """Their values are compared as text, and a checkbox by what it means."""
    (pull,) = load_fields(SENT, more=f"pull: {{their_tier: {{from: tier, map: {values}}}}}\n").pulls
    assert pull.back(theirs) == ours


@pytest.mark.parametrize("value", ["secret", ["A"], True])
def test_a_value_that_is_not_in_the_map_is_reported_and_not_repeated(load_fields, value):
    """With the name of the field; the trait stays as it is."""
    (pull,) = load_fields(SENT, more="pull: {their_tier: {from: tier, map: {A: pro}}}\n").pulls
    with pytest.raises(Unusable, match=r"^tier: .*mapp?") as refused:
        pull.back(value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("conflict", ["theirs", "newest"])
def test_a_field_of_ours_goes_both_ways_by_its_conflict(load_fields, conflict):
    """The map is turned round; what it was made from is what it is read into."""
    line = f"stage: {{from: plan, map: {{free: lead, pro: customer}}, conflict: {conflict}}}"
    mapping = load_fields(line)
    (pull,) = mapping.pulls
    assert (pull.trait, pull.name, pull.conflict) == ("plan", "stage", Conflict(conflict))
    assert pull.is_pushed
    assert pull.back("customer") == "pro"
    assert mapping.fields[0].conflict is Conflict(conflict)
    assert mapping.read_fields == ("stage",)


@pytest.mark.parametrize("conflict", ["ours", "only_if_empty"])
def test_a_field_of_ours_alone_is_not_read_back(load_fields, conflict):
    """Only what others changed in it is looked at."""
    mapping = load_fields(f"phone: {{from: phone, conflict: {conflict}}}")
    assert mapping.pulls == ()
    assert mapping.read_fields == ("phone",)


@pytest.mark.parametrize(
    ("pull", "in_pull", "in_fields"),
    [
        ("phone", Conflict.THEIRS, Conflict.THEIRS),
        ("{from: phone, conflict: newest}", Conflict.NEWEST, Conflict.NEWEST),
        ("{from: phone, conflict: only_if_empty}", Conflict.ONLY_IF_EMPTY, Conflict.OURS),
    ],
)
def test_a_pull_of_a_field_of_ours_makes_it_go_both_ways(load_fields, pull, in_pull, in_fields):
    """The pull says who wins."""
    mapping = load_fields(SENT, more=f"pull: {{phone: {pull}}}\n")
    found = pull_of(mapping, "phone")
    assert (found.name, found.conflict, found.is_pushed) == ("phone", in_pull, True)
    assert [f.conflict for f in mapping.fields if f.name == "phone"] == [in_fields]


def test_a_pull_of_a_mapped_field_turns_its_map_round(load_fields):
    """So that what is read is what would be sent."""
    mapping = load_fields(SENT, more="pull: {plan: stage}\n")
    assert pull_of(mapping, "plan").back("lead") == "free"


def test_a_gap_is_filled_by_ours_and_theirs_is_learned(load_fields):
    """`only_if_empty` to them and a pull from them do not contradict each other."""
    mapping = load_fields(
        "phone: {from: phone, conflict: only_if_empty}", more="pull: {phone: phone}\n"
    )
    assert mapping.fields[0].conflict is Conflict.ONLY_IF_EMPTY
    assert mapping.pulls[0].conflict is Conflict.THEIRS


@pytest.mark.parametrize(
    ("line", "theirs", "ours"),
    [
        ("f: {from: visits_goal, map: {1: low, 9: high}, conflict: newest}", "high", "9"),
        ("f: {from: size, map: {1: low, 9: high}, conflict: newest}", "high", 9),
        ("f: {from: is_trial, map: {true: T, false: F}, conflict: newest}", "F", False),
        ("f: {from: is_trial, map: {true: yes, false: no}, conflict: newest}", True, True),
        ("f: {from: plan, map: {pro: true, free: false}, conflict: newest}", False, "free"),
        ("f: {from: plan, map: {pro: ' P '}, default: L, conflict: newest}", "P", "pro"),
        ("f: {from: plan, default: L, conflict: newest}", "L", "L"),
    ],
)
def test_what_is_read_back_has_the_type_of_the_trait(load, line, theirs, ours):
    """The keys of a `map` are text, whatever the trait is; a default is a value like any other."""
    project = "connections: {crm: {connector: memory}}\ntraits: {size: number, visits_goal: any}\n"
    text = f"connection: crm\nobject: contacts\nmatch: {{a: profile_id}}\nfields:\n  {line}\n"
    (pull,) = load(project, contacts=text).mappings[0].pulls
    assert pull.back(theirs) == ours
    assert type(pull.back(theirs)) is type(ours)


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=8
)


@given(st.dictionaries(TEXTS, TEXTS | st.integers(-99, 99) | st.booleans(), min_size=1, max_size=8))
def test_what_a_map_sends_is_read_back_as_it_was(values):
    """For every map that can be turned round, and every value it has."""
    try:
        back = reversed_field(
            "f", FieldKeys.model_validate({"from": "t", "map": values}), Kind.TEXT
        )
    except Irreversible:
        texts = [str(v).lower() if isinstance(v, bool) else str(v) for v in values.values()]
        assert len(set(texts)) < len(texts)
        return
    assert {ours: back(theirs) for ours, theirs in values.items()} == {
        ours: ours for ours in values
    }


@given(st.none() | st.text(min_size=1, max_size=20) | st.integers() | st.booleans())
def test_a_plain_field_sends_what_it_read(value):
    """Read and written again it is the same: two-way sync settles."""
    back = reversed_field("f", FieldKeys.model_validate({"from": "t"}), Kind.ANY)
    assert back(value) == value


def test_pulled_traits_are_known_everywhere(load):
    """In fields, conditions, templates and segments of every mapping, without a warning."""
    project = (
        "connections: {crm: {connector: memory}}\nsegments: {hot: 'deal_stage = \"negotiation\"'}\n"
    )
    head = "connection: crm\nobject: {}\nmatch: {{a: profile_id}}\n"
    pulling = head.format("contacts") + (
        "fields: {email: email}\npull: {crm_owner: owner_id}\ndeals: {pull: {deal_stage: stage}}\n"
    )
    companies = head.format("companies") + (
        "source: companies\nfields: {name: name}\npull: {tier: account_tier}\n"
    )
    reading = head.format("leads") + (
        'only: segment = "hot" AND crm_owner != ""\n'
        'fields: {a: crm_owner, b: {template: "{deal_stage} {company_tier}"}}\n'
    )
    configuration = load(project, a=reading, b=pulling, c=companies)
    assert configuration.warnings == ()
    assert configuration.mappings[0].reads >= {"crm_owner", "deal_stage", "company_tier"}


@pytest.mark.parametrize(
    ("keys", "pick", "none_open"),
    [
        ("", Pick.LATEST_OPEN, NoneOpen.LATEST_CLOSED),
        ("pick: largest_open, none_open: empty, ", Pick.LARGEST_OPEN, NoneOpen.EMPTY),
        ("pick: latest, ", Pick.LATEST, NoneOpen.LATEST_CLOSED),
    ],
)
def test_what_is_read_of_deals(load_fields, keys, pick, none_open):
    """Each field once, however many traits it makes."""
    pulls = "{deal_stage: stage, won: {from: stage, map: {Won: true}}, deal_owner: owner_id}"
    mapping = load_fields(SENT, more=f"deals: {{{keys}pull: {pulls}}}\n")
    deals = mapping.deals
    assert (deals.pick, deals.none_open) == (pick, none_open)
    assert deals.read_fields == ("stage", "owner_id")
    assert [pull.trait for pull in deals.pulls] == ["deal_stage", "won", "deal_owner"]
    assert deals.pulls[1].back("Won") is True
    assert mapping.pulls == ()


def test_what_to_do_about_closed_deals_is_no_question_where_they_count_anyway(load):
    """Said, since it may be a misunderstanding."""
    text = (
        "connection: crm\nobject: contacts\nmatch: {a: profile_id}\nfields: {email: email}\n"
        "deals: {pick: latest, none_open: empty, pull: {deal_stage: stage}}\n"
    )
    (warning,) = load(contacts=text).warnings
    assert (warning.line, warning.column) == (5, 23)
    assert warning.message.startswith("none_open has no effect with `pick: latest`")


def test_the_policies_of_a_mapping(load_fields):
    """Cautious, unless the file says otherwise."""
    plain = load_fields(SENT)
    assert (plain.drift, plain.on_delete, plain.on_merge) == (
        Drift.REPORT, OnDelete.SUPPRESS, OnMerge.KEEP,
    )  # fmt: skip
    bold = load_fields(SENT, "drift: reassert\non_delete: recreate\non_merge: merge_in_crm\n")
    assert (bold.drift, bold.on_delete, bold.on_merge) == (
        Drift.REASSERT, OnDelete.RECREATE, OnMerge.MERGE_IN_CRM,
    )  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        "pull: {owner: owner_id}\n",
        "deals: {pull: {deal_stage: stage}}\n",
        "drift: reassert\non_delete: recreate\non_merge: merge_in_crm\n",
        "pull: {phone: {from: phone, conflict: only_if_empty}}\n",
    ],
)
def test_what_is_only_read_back_changes_nothing_of_what_is_sent(load_fields, more):
    """The hash stays, and no link is looked at again."""
    assert load_fields(SENT, more=more).hash == load_fields(SENT).hash


def test_who_wins_is_part_of_the_meaning(load_fields):
    """Wherever the file says it."""
    both_ways = load_fields(SENT, more="pull: {phone: phone}\n")
    assert both_ways.hash != load_fields(SENT).hash
    in_place = SENT.replace("phone: phone", "phone: {from: phone, conflict: theirs}")
    assert both_ways.hash == load_fields(in_place).hash


def test_what_goes_both_ways_is_still_sent(load_fields):
    """As any other field."""
    mapping = load_fields("stage: {from: plan, map: {pro: customer}, conflict: newest}")
    assert render(mapping, {"plan": "pro"}).fields == {"stage": "customer"}


def test_an_email_may_be_corrected_in_the_crm(load_fields):
    """Salespeople do; the identifiers and counts that crmsync keeps itself are not theirs."""
    mapping = load_fields("email: {from: email, conflict: newest}")
    assert mapping.pulls[0].trait == "email"
