"""The order of arrival does not matter (docs/delivery.md, fault 16)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.identity.facts import facts
from crmsync.identity.rules import NoteCode, Rules, Types
from crmsync.model import ProfileKind
from tests.unit.identity.story import Story, at, call

CLOCKS = st.integers(0, 11 * 60 + 59).map(lambda minute: at(f"{minute // 60:02}:{minute % 60:02}"))
VALUES = st.sampled_from(["free", "pro", 1, True, None, ["a"]])
CALLS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("page"), "timestamp": CLOCKS}),
    st.fixed_dictionaries(
        {
            "kind": st.just("track"),
            "timestamp": CLOCKS,
            "event": st.sampled_from(["plan_upgraded", "clicked"]),
            "properties": st.fixed_dictionaries({"revenue": st.sampled_from([49, 0.1, "9.90"])}),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("identify"),
            "timestamp": CLOCKS,
            "traits": st.dictionaries(
                st.sampled_from(["plan", "seats", "custom_x"]), VALUES, max_size=2
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("group"),
            "timestamp": CLOCKS,
            "groupId": st.sampled_from(["g1", "g2"]),
            "traits": st.fixed_dictionaries({"size": st.integers(1, 3)}),
        }
    ),
)
ANONYMOUS, KNOWN = {"anonymousId": "a1"}, {"userId": "u1"}
BOTH = {**ANONYMOUS, **KNOWN}
WHO = st.sampled_from([ANONYMOUS, BOTH, KNOWN])


@st.composite
def histories(draw):
    """Draw a history of one person's calls, one of which carries both ids, and another order."""
    told = draw(st.lists(st.tuples(CALLS, WHO), min_size=1, max_size=7))
    events = [
        call(
            body["kind"], **{n: v for n, v in body.items() if n != "kind"}, **who, messageId=f"m{n}"
        )
        for n, (body, who) in enumerate(told)
    ]
    events.append(call("identify", **BOTH, messageId="link", timestamp=at("06:00")))
    return events, draw(st.permutations(events))


def summary(events, *, folds):
    """Fold events, at once or one by one, and tell everything about the one person."""
    story = Story()
    for fold in [events] if folds == "one" else [[event] for event in events]:
        story.fold(fold)
    [person] = story.all()
    shown = facts(person, story.world.profiles.get(person.company_id))
    companies = {c.user_id: c.traits for c in story.all(ProfileKind.COMPANY)}
    return {**shown, "profile_id": None, "companies": companies, "sources": {
        trait: source.message_id for trait, source in person.trait_sources.items()
    }}  # fmt: skip


@given(histories())
def test_the_final_state_does_not_depend_on_the_order(history):
    """Any order, in one fold or many, gives the same traits, times, counts and revenue."""
    events, shuffled = history
    assert summary(events, folds="one") == summary(shuffled, folds="many")


@given(histories())
def test_a_version_moves_only_with_a_fact(history):
    """A fold changes what the facts say exactly of the names in `changed`, or says nothing."""
    story = Story()
    for event in history[1]:
        before = {p.id: (p.version, facts(p)) for p in story.world.profiles.values()}
        outcome = story.fold([event])
        for profile_id, touched in outcome.touched.items():
            version, known = before.get(profile_id, (0, {}))
            now = facts(touched.profile)
            differing = {n for n in known.keys() | now.keys() if known.get(n) != now.get(n)}
            counts = {"sessions", "visits", "pages_viewed", "goals_completed", "revenue"}
            zero = {name for name in counts if name not in known and now.get(name) == 0}
            assert differing - zero <= touched.changed
            assert touched.profile.version == version + bool(touched.changed)


def test_of_two_values_at_one_time_the_greater_message_id_wins():
    """Ties are broken by message id, whichever comes first."""
    for order in (["m1", "m2"], ["m2", "m1"]):
        story = Story()
        for message_id in order:
            body = {"userId": "u1", "timestamp": at("10:00"), "messageId": message_id}
            story.tell(("identify", {**body, "traits": {"plan": message_id}}))
        assert story.find("user_id", "u1").traits == {"plan": "m2"}


def test_the_same_value_again_renews_its_claim():
    """A value said again at 11:00 is not overwritten by a late one of 10:30."""
    story = Story()
    for clock, plan in (("10:00", "pro"), ("11:00", "pro"), ("10:30", "free")):
        story.tell(("identify", {"userId": "u1", "timestamp": at(clock), "traits": {"plan": plan}}))
    assert story.find("user_id", "u1").traits == {"plan": "pro"}


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (True, 1), ([1], [2])])
def test_a_boolean_is_not_a_number(old, new):
    """1 and true are different values, though Python holds them equal."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "messageId": "1", "traits": {"x": old}}))
    story.tell(("identify", {"userId": "u1", "messageId": "2", "traits": {"x": new}}))
    assert story.find("user_id", "u1").traits["x"] is new


@pytest.mark.parametrize(
    ("types", "held", "code"),
    [
        (Types.LENIENT, "five", NoteCode.TYPE_CHANGED),
        (Types.STRICT, 5, NoteCode.VALUE_DROPPED),
    ],
)
def test_mixed_types_of_an_undeclared_trait(types, held, code):
    """Lenient: the last write wins, reported; strict: refused with the reason (C12)."""
    story = Story(Rules(types=types))
    story.tell(("identify", {"userId": "u1", "messageId": "1", "traits": {"seats": 5}}))
    outcome = story.tell(
        ("identify", {"userId": "u1", "messageId": "2", "traits": {"seats": "five"}})
    )
    assert story.find("user_id", "u1").traits == {"seats": held}
    assert [note.code for note in outcome.notes] == [code]
    assert outcome.notes[0].detail.startswith("traits.seats has another type than before")
