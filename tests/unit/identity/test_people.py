"""Which person an event is about: links, merges, and what is never merged."""

from __future__ import annotations

from crmsync.identity.facts import facts
from crmsync.identity.resolve import fold, wanted
from crmsync.identity.rules import NoteCode, Rules
from crmsync.identity.state import World
from crmsync.model import Identifier, IdentifierKind
from tests.unit.identity.story import Story, at, call


def test_past_anonymous_history_is_linked_on_identify():
    """The visitor becomes the person, with everything from before (Z3, C8)."""
    story = Story()
    story.tell(("page", {"anonymousId": "a1", "timestamp": at("09:00")}))
    outcome = story.tell(
        ("identify", {"userId": "u1", "anonymousId": "a1", "timestamp": at("09:05")}),
        ("page", {"anonymousId": "a1", "timestamp": at("09:06")}),
    )
    person = story.find("user_id", "u1")
    assert story.all() == [person]
    assert outcome.owners == [person.id, person.id]
    assert person.stats["pages_viewed"] == 2
    assert person.stats["sessions"] == 1
    assert (person.first_seen.minute, person.identified_at.minute) == (0, 5)


def test_a_visitor_of_a_known_person_merges_into_them():
    """A second device's history joins the person when they log in there (Z3, Z4)."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "traits": {"plan": "pro"}}))
    story.tell(("page", {"anonymousId": "a2", "timestamp": at("08:00")}))
    visitor, person = story.find("anonymous_id", "a2"), story.find("user_id", "u1")
    outcome = story.tell(("identify", {"userId": "u1", "anonymousId": "a2"}))
    [merge] = outcome.merges
    assert (merge.winner, merge.loser, merge.evidence) == (person.id, visitor.id, "anonymous_id")
    assert story.find("anonymous_id", "a2") is person
    assert facts(person)["pages_viewed"] == 1
    assert {"pages_viewed", "first_seen", "last_seen"} <= outcome.touched[person.id].changed


def test_two_known_people_on_one_device_are_never_merged():
    """A shared anonymous id stays with the first; the second user id is a new person (C4)."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "anonymousId": "a1"}))
    outcome = story.tell(
        ("identify", {"userId": "u2", "anonymousId": "a1"}),
        ("page", {"userId": "u2", "anonymousId": "a1"}),
        ("page", {"anonymousId": "a1"}),
    )
    first, second = story.find("user_id", "u1"), story.find("user_id", "u2")
    assert first is not second
    assert not outcome.merges
    assert outcome.owners == [second.id, second.id, first.id]


def test_an_id_and_an_email_on_one_device_are_two_people():
    """A shared anonymous id does not join a user id and an e-mail either (G3)."""
    story = Story()
    story.tell(("identify", {"email": "ann@b.example", "anonymousId": "a1"}))
    story.tell(("identify", {"userId": "u1", "anonymousId": "a1"}))
    assert len(story.all()) == 2


def test_an_id_and_an_email_merge_at_the_identify_that_carries_both():
    """Tracked separately they are two profiles; the one with the user id wins (G3)."""
    story = Story()
    story.tell(("identify", {"email": "ann@b.example", "traits": {"plan": "pro"}}))
    story.tell(("identify", {"userId": "u1", "traits": {"role": "admin"}}))
    by_email, by_id = story.find("email", "ann@b.example"), story.find("user_id", "u1")
    outcome = story.tell(("identify", {"userId": "u1", "traits": {"email": "ann@b.example"}}))
    assert [(m.winner, m.loser, m.evidence) for m in outcome.merges] == [
        (by_id.id, by_email.id, "email")
    ]
    assert story.all() == [by_id]
    assert by_id.traits == {"role": "admin", "plan": "pro", "email": "ann@b.example"}
    assert (by_id.user_id, by_id.email) == ("u1", "ann@b.example")


def test_a_new_user_id_adopts_the_person_known_by_its_email():
    """The first identify with both ids names the e-mail's profile; nothing is merged."""
    story = Story()
    story.tell(("identify", {"email": "ann@b.example"}))
    outcome = story.tell(("identify", {"userId": "u1", "traits": {"email": "ann@b.example"}}))
    [person] = story.all()
    assert person.user_id == "u1"
    assert not outcome.merges
    assert "user_id" in outcome.touched[person.id].changed


def test_an_email_of_another_user_id_stays_where_it_is():
    """Two user ids are never joined by an e-mail; the conflict is noted, the trait not written."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "traits": {"email": "ann@b.example"}}))
    outcome = story.tell(
        ("identify", {"userId": "u2", "traits": {"email": "ann@b.example", "plan": "pro"}})
    )
    second = story.find("user_id", "u2")
    assert [note.code for note in outcome.notes] == [NoteCode.IDENTIFIER_CONFLICT]
    assert "ann@" not in outcome.notes[0].detail
    assert (second.email, second.traits) == (None, {"plan": "pro"})
    assert story.find("email", "ann@b.example").user_id == "u1"


def test_a_changed_email_keeps_the_old_one_as_a_name():
    """Events of the old e-mail still find the person, whose e-mail is the new one."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "traits": {"email": "old@b.example"}}))
    story.tell(("identify", {"userId": "u1", "traits": {"email": "new@b.example"}}))
    outcome = story.tell(("page", {"context": {"traits": {"email": "old@b.example"}},
                                   "timestamp": at("07:00")}))  # fmt: skip
    [person] = story.all()
    assert outcome.owners == [person.id]
    assert person.email == "new@b.example"


def test_an_email_as_user_id_and_another_as_trait_are_one_persons():
    """Who is identified by an e-mail can change it: both name them."""
    story = Story()
    story.tell(("identify", {"userId": "a@b.example", "traits": {"email": "new@b.example"}}))
    assert story.find("email", "a@b.example") is story.find("email", "new@b.example")
    assert story.all()[0].email == "new@b.example"


def test_an_unset_email_leaves_the_person_known():
    """A null e-mail is gone from the profile; later visitors are still not merged into others."""
    story = Story()
    story.tell(("identify", {"email": "ann@b.example", "anonymousId": "a1"}))
    story.tell(("identify", {"userId": "ann@b.example", "traits": {"email": None}}))
    story.tell(("identify", {"userId": "u2", "anonymousId": "a1"}))
    assert story.find("anonymous_id", "a1").email is None
    assert len(story.all()) == 2


def test_alias_joins_what_was_known_before():
    """PreviousId's anonymous profile becomes userId's."""
    story = Story()
    story.tell(("page", {"anonymousId": "a1"}), ("identify", {"userId": "u1"}))
    outcome = story.tell(("alias", {"userId": "u1", "previousId": "a1"}))
    assert [merge.evidence for merge in outcome.merges] == ["alias"]
    assert story.find("anonymous_id", "a1") is story.find("user_id", "u1")


def test_alias_renames_a_user_id_that_nobody_else_has():
    """A new user id takes the place of the old one, which still finds the person."""
    story = Story()
    story.tell(("identify", {"userId": "old", "traits": {"plan": "pro"}}))
    outcome = story.tell(("alias", {"userId": "new", "previousId": "old"}))
    [person] = story.all()
    assert person.user_id == "new"
    assert outcome.touched[person.id].changed == {"user_id"}
    assert story.find("user_id", "old") is story.find("user_id", "new") is person


def test_alias_never_joins_two_known_user_ids():
    """Both stay as they are, and the sender is told."""
    story = Story()
    story.tell(("identify", {"userId": "u1"}), ("identify", {"userId": "u2"}))
    outcome = story.tell(("alias", {"userId": "u2", "previousId": "u1"}))
    assert [note.code for note in outcome.notes] == [NoteCode.ALIAS_CONFLICT]
    assert len(story.all()) == 2


def test_alias_of_an_unknown_id_waits_for_it():
    """An id that was never seen belongs to the person from then on."""
    story = Story()
    story.tell(("alias", {"userId": "u1", "previousId": "a1"}))
    outcome = story.tell(("page", {"anonymousId": "a1"}))
    assert outcome.owners == [story.find("user_id", "u1").id]


def test_alias_takes_an_email_as_the_earlier_id():
    """PreviousId may be an e-mail."""
    story = Story()
    story.tell(("identify", {"email": "ann@b.example"}), ("identify", {"userId": "u1"}))
    story.tell(("alias", {"userId": "u1", "previousId": "Ann@b.example"}))
    assert story.find("email", "ann@b.example") is story.find("user_id", "u1")


def test_a_profile_that_came_and_went_in_one_fold_leaves_no_trace():
    """What was never stored is neither saved nor reported as merged."""
    story = Story()
    outcome = story.tell(
        ("page", {"anonymousId": "a1"}),
        ("identify", {"userId": "u1"}),
        ("identify", {"userId": "u1", "anonymousId": "a1"}),
    )
    [person] = story.all()
    assert outcome.merges == []
    assert set(outcome.touched) == set(outcome.owners) == {person.id}
    assert set(outcome.new_identifiers.values()) == {person.id}


def test_merges_name_the_last_winner():
    """A stored profile merged into one that is merged in turn goes to the survivor."""
    story = Story()
    story.tell(("page", {"anonymousId": "a1"}), ("identify", {"userId": "u1"}))
    stored, survivor = story.find("anonymous_id", "a1"), story.find("user_id", "u1")
    outcome = story.tell(
        ("identify", {"email": "ann@b.example"}),
        ("identify", {"email": "ann@b.example", "anonymousId": "a1"}),
        ("identify", {"userId": "u1", "traits": {"email": "ann@b.example"}}),
    )
    assert {(merge.winner, merge.loser) for merge in outcome.merges} == {(survivor.id, stored.id)}
    assert story.find("anonymous_id", "a1") is survivor


def test_a_repeated_identify_changes_nothing():
    """The same traits again bump no version and change no fact (C2)."""
    story = Story()
    body = {"userId": "u1", "traits": {"email": "a@b.example", "seats": 1, "company": "Acme"}}
    story.tell(("identify", body))
    person = story.find("user_id", "u1")
    outcome = story.tell(("identify", body), ("identify", body))
    assert person.version == 1
    assert all(not t.changed and not t.changes for t in outcome.touched.values())
    assert not outcome.merges
    assert not outcome.new_identifiers


def test_a_fold_bumps_a_version_once():
    """However many traits change in a fold, the version goes up by one."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "traits": {"plan": "free"}}))
    outcome = story.tell(
        ("identify", {"userId": "u1", "traits": {"plan": "pro"}}),
        ("identify", {"userId": "u1", "traits": {"plan": "max", "name": "Ann"}}),
    )
    [touched] = outcome.touched.values()
    assert touched.profile.version == 2
    assert touched.changed == {"plan", "name", "first_name", "last_name"}
    assert [(c.trait, c.old, c.new) for c in touched.changes] == [
        ("plan", "free", "pro"),
        ("plan", "pro", "max"),
        ("name", None, "Ann"),
    ]
    assert touched.changes[0].source.origin == "source:web"


def test_new_trait_names_end_at_the_limit():
    """Names beyond the project's limit are ignored and reported; known ones still change (G5)."""
    story = Story(Rules(max_trait_names=2))
    story.tell(("identify", {"userId": "u1", "traits": {"a": 1, "b": 1}}))
    outcome = story.tell(
        ("identify", {"userId": "u1", "traits": {"a": 2, "c": 1, "d": 1, "plan": "pro"}})
    )
    assert story.find("user_id", "u1").traits == {"a": 2, "b": 1, "plan": "pro"}
    [note] = outcome.notes
    assert note.code is NoteCode.TRAIT_LIMIT
    assert note.detail.startswith("2 traits were ignored, the first is traits.c")
    assert outcome.new_trait_names == set()


def test_a_name_that_is_read_is_always_taken():
    """No flood of other names can keep out what a mapping reads, of a person or a company."""
    story = Story(Rules(max_trait_names=2, read_names=frozenset({"score", "tier", "late"})))
    flood = {f"n{number}": number for number in range(9)}
    story.tell(("identify", {"userId": "u1", "traits": {"score": 1, **flood}}))
    story.tell(("group", {"userId": "u1", "groupId": "g1", "traits": {"tier": "gold", "n9": 9}}))
    outcome = story.tell(("identify", {"userId": "u1", "traits": {"late": 3, "score": 2}}))
    assert story.find("user_id", "u1").traits == {"n0": 0, "n1": 1, "score": 2, "late": 3}
    assert story.find("group_id", "g1").traits == {"tier": "gold"}
    assert outcome.notes == []
    assert outcome.new_trait_names == {"late"}


def test_a_name_that_is_read_takes_nobodys_place():
    """The names that the project reads are not counted, whether they came before or after."""
    rules = Rules(max_trait_names=2, read_names=frozenset({"score", "tier"}))
    story = Story(rules)
    story.tell(("identify", {"userId": "u1", "traits": {"score": 1, "tier": 1}}))
    story.tell(("identify", {"userId": "u1", "traits": {"a": 1, "b": 1, "c": 1}}))
    assert story.find("user_id", "u1").traits == {"score": 1, "tier": 1, "a": 1, "b": 1}


def test_new_trait_names_are_told():
    """The store learns each name that is not a standard one, once."""
    story = Story()
    outcome = story.tell(("identify", {"userId": "u1", "traits": {"a": 1, "plan": "pro"}}))
    assert outcome.new_trait_names == {"a"}
    outcome = story.tell(("identify", {"userId": "u2", "traits": {"a": 1}}))
    assert outcome.new_trait_names == set()


def test_wanted_names_all_that_a_fold_looks_up():
    """A fold with only what was wanted gives what a fold with everything gives."""
    events = [
        call("identify", userId="u1", anonymousId="a1", traits={"email": "a@b.example"}),
        call("alias", userId="u2", previousId="old@b.example"),
        call("group", anonymousId="a3", groupId="g1", traits={"name": "Acme  GmbH"}),
        call("identify", userId="x@b.example", traits={"company": {"id": "c1", "name": "Bolt"}}),
    ]
    kinds = IdentifierKind
    assert wanted(events) == {
        Identifier(kinds.USER_ID, "u1"),
        Identifier(kinds.ANONYMOUS_ID, "a1"),
        Identifier(kinds.EMAIL, "a@b.example"),
        Identifier(kinds.USER_ID, "u2"),
        Identifier(kinds.USER_ID, "old@b.example"),
        Identifier(kinds.ANONYMOUS_ID, "old@b.example"),
        Identifier(kinds.EMAIL, "old@b.example"),
        Identifier(kinds.ANONYMOUS_ID, "a3"),
        Identifier(kinds.GROUP_ID, "g1"),
        Identifier(kinds.COMPANY_ID, "g1"),
        Identifier(kinds.COMPANY_NAME, "acme gmbh"),
        Identifier(kinds.EMAIL, "x@b.example"),
        Identifier(kinds.COMPANY_ID, "c1"),
        Identifier(kinds.GROUP_ID, "c1"),
        Identifier(kinds.COMPANY_NAME, "bolt"),
    }
    made = fold(events, World(), Rules()).new_identifiers
    assert made.keys() <= wanted(events)
