"""One inbound call -> one event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmsync.errors import EventRejected
from crmsync.identity.calls import read_call
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import EmailAsUserId, NoteCode, Rules, TraitType, Types
from crmsync.model import EventType
from tests.unit.identity.story import NOON, call


def codes(notes):
    """Give the codes of notes, in order."""
    return [note.code for note in notes]


def test_reads_a_call_of_the_specification():
    """Every part of a Segment call lands in its place."""
    event = call(
        "track",
        userId="u1",
        anonymousId="a1",
        messageId="m1",
        timestamp="2026-06-01T11:00:00Z",
        event="plan_upgraded",
        properties={"revenue": 49},
        context={"sessionId": 1717, "traits": {"plan": "pro"}},
    )
    assert event.type is EventType.TRACK
    assert (event.user_id, event.anonymous_id, event.message_id) == ("u1", "a1", "m1")
    assert event.at == NOON - timedelta(hours=1)
    assert (event.name, event.properties, event.session_id) == (
        "plan_upgraded", {"revenue": 49}, "1717",
    )  # fmt: skip
    assert event.traits == {"plan": "pro"}
    assert event.source == "web"


@pytest.mark.parametrize(
    "body",
    [
        {"userId": "u1", "traits": {"name": "Ann"}},
        {"user_id": "u1", "traits": {"name": "Ann"}, "website": "www.b.example"},
        {"person_id": "u1", "traits": {"name": "Ann"}},
        {"id": "u1", "traits": {"name": "Ann"}},
        {"traits": {"id": "u1", "name": "Ann"}},
        {"userId": "u1", "context": {"traits": {"name": "Ann"}}},
    ],
)
def test_an_id_goes_by_several_names(body):
    """userId, user_id, person_id and, on identify, id all name the person (C6, G4)."""
    event = call("identify", **body)
    assert (event.user_id, event.traits) == ("u1", {"name": "Ann"})


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("identify", {"traits": {"name": "Ann"}}, "userId, email and anonymousId are all missing"),
        ("track", {"userId": "u1"}, "event is missing"),
        ("group", {"userId": "u1"}, "groupId is missing"),
        ("alias", {"userId": "u1"}, "previousId is missing"),
        ("dance", {"userId": "u1"}, "type is missing or is not one of identify, track"),
        ("page", {"userId": "u1\0"}, "userId holds a NUL character"),
        ("page", {"userId": {"a": 1}}, "userId is neither text nor a whole number"),
        ("identify", {"userId": "u1", "traits": "secret"}, "traits is not an object"),
        ("identify", {"userId": "u1", "traits": dict.fromkeys(map(str, range(10_001)))}, "10,001"),
        ("page", {"userId": "u1", "timestamp": "secret"}, "timestamp is not an ISO 8601 time"),
        ("page", {"userId": "u1", "timestamp": "9999-12-31"}, "timestamp is in a year"),
        ("page", {"userId": "u1", "timestamp": "0001-01-01"}, "timestamp is in a year"),
        ("page", {"userId": "u1", "timestamp": 12}, "timestamp is in a year"),
        ("page", {"userId": "u1", "timestamp": 1e300}, "timestamp is not a time"),
    ],
)
def test_refuses_a_call_by_its_field_and_not_by_its_value(kind, body, message):
    """A refusal names the field and what to do, never what was sent."""
    with pytest.raises(EventRejected, match=message) as refusal:
        call(kind, **body)
    assert "secret" not in refusal.value.user_message


@pytest.mark.parametrize("placeholder", ["null", "undefined", "NaN", "[object Object]", "None"])
def test_a_placeholder_names_nobody(placeholder):
    """User ids that broken clients send for everybody do not join strangers."""
    notes = []
    event = call("page", notes=notes, userId=placeholder, anonymousId="a1")
    assert event.user_id is None
    assert codes(notes) == [NoteCode.PLACEHOLDER_ID]


def test_an_email_as_user_id_is_taken_as_an_email():
    """By default an e-mail-like user id is warned about and treated as the e-mail (Z2)."""
    notes = []
    event = call("identify", notes=notes, userId=" Ann@B.example", traits={"plan": "pro"})
    assert (event.user_id, event.email) == (None, "ann@b.example")
    assert event.traits == {"plan": "pro", "email": "ann@b.example"}
    assert codes(notes) == [NoteCode.EMAIL_AS_USER_ID]


def test_an_email_as_user_id_can_be_kept():
    """The rule `keep` leaves the user id as it was sent, and still warns."""
    notes = []
    rules = Rules(email_as_user_id=EmailAsUserId.KEEP)
    event = call("identify", rules, notes, userId="Ann@B.example")
    assert (event.user_id, event.email) == ("Ann@B.example", None)
    assert codes(notes) == [NoteCode.EMAIL_AS_USER_ID]


@pytest.mark.parametrize(
    "body",
    [{"email": "Ann@B.example"}, {"traits": {"email": "Ann@B.example"}}],
)
def test_an_email_alone_names_a_person(body):
    """Either an id or an e-mail is enough (G2)."""
    event = call("identify", **body)
    assert (event.user_id, event.email) == (None, "ann@b.example")


def test_an_anonymous_identify_is_taken_with_a_warning():
    """Identify without id and e-mail keeps its traits for the visitor, and warns (Z25)."""
    notes = []
    event = call("identify", notes=notes, anonymousId="a1", traits={"plan": "pro"})
    assert event.traits == {"plan": "pro"}
    assert codes(notes) == [NoteCode.ANONYMOUS_IDENTIFY]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, NOON),
        ({"timestamp": "2026-06-01T11:00:00"}, NOON - timedelta(hours=1)),
        ({"timestamp": 1780311600}, NOON - timedelta(hours=1)),
        ({"timestamp": 1780311600000}, NOON - timedelta(hours=1)),
        # the sender's clock is two hours behind ours
        ({"timestamp": "2026-06-01T09:00:00Z", "sentAt": "2026-06-01T10:00:00Z"},
         NOON - timedelta(hours=1)),
        # a year ahead
        ({"timestamp": "2027-06-01T11:00:00Z", "sentAt": "2027-06-01T12:00:00Z"},
         NOON - timedelta(hours=1)),
        # a few seconds are the way here, not the clock
        ({"timestamp": "2026-06-01T11:00:00Z", "sentAt": "2026-06-01T11:59:55Z"},
         NOON - timedelta(hours=1)),
        # corrected already by whoever received it first
        ({"timestamp": "2026-06-01T11:00:00Z", "originalTimestamp": "2025-01-01",
          "sentAt": "2025-01-02"}, NOON - timedelta(hours=1)),
        ({"originalTimestamp": "2026-06-01T09:00:00Z", "sentAt": "2026-06-01T10:00:00Z"},
         NOON - timedelta(hours=1)),
        # a little ahead is kept, far ahead is clamped
        ({"timestamp": "2026-06-01T12:05:00Z"}, NOON + timedelta(minutes=5)),
        ({"timestamp": "2026-06-01T12:05:01Z"}, NOON),
        ({"timestamp": "2027-06-01T12:00:00Z"}, NOON),
    ],
)  # fmt: skip
def test_the_time_is_by_our_clock(body, at):
    """Clock differences are corrected by sentAt; what is still ahead is set to the receipt."""
    assert call("page", userId="u1", **body).at == at


def test_calls_without_a_time_keep_their_order():
    """Several untimed or clamped calls of one request are a microsecond apart, first to last."""
    arrival = Arrival("web", NOON, Rules())
    bodies = [{"userId": "u1"}, {"userId": "u1", "timestamp": "2027-01-01"}, {"userId": "u1"}]
    times = [read_call("identify", body, arrival, []).at for body in bodies]
    assert times == [NOON + timedelta(microseconds=n) for n in range(3)]


def test_a_clamped_time_is_noted():
    """The sender is told that its clock is ahead."""
    notes = []
    call("page", notes=notes, userId="u1", timestamp="2026-06-01T13:00:00Z")
    assert codes(notes) == [NoteCode.CLOCK_AHEAD]


def test_a_file_says_nothing_about_clocks():
    """`sentAt` in a file of last year does not move its events to today."""
    body = {"userId": "u1", "timestamp": "2025-06-01T11:00:00Z", "sentAt": "2025-06-01T11:00:05Z"}
    event = read_call("page", body, Arrival("file", NOON, Rules(), live=False), [])
    assert event.at == datetime(2025, 6, 1, 11, tzinfo=UTC)


def test_a_wrong_sent_at_only_leaves_the_clock_uncorrected():
    """A `sentAt` that is no time is noted; the call is taken with its own time."""
    notes = []
    event = call("page", notes=notes, userId="u1", timestamp="2026-06-01T11:00:00Z", sentAt="?")
    assert event.at == NOON - timedelta(hours=1)
    assert codes(notes) == [NoteCode.VALUE_DROPPED]


def test_a_retry_has_the_same_hash():
    """`sentAt`, which a retry changes, is not part of the body's hash; everything else is."""
    first = call("page", userId="u1", sentAt="2026-06-01T12:00:00Z")
    again = call("page", userId="u1", sentAt="2026-06-01T12:00:09Z")
    other = call("page", userId="u2", sentAt="2026-06-01T12:00:00Z")
    assert first.body_sha256 == again.body_sha256 != other.body_sha256


def test_a_timed_call_without_message_id_is_named_by_its_body():
    """A body with its own time has the same id when it comes again, but not elsewhere."""
    body = {"userId": "u1", "event": "x", "timestamp": "2026-06-01T11:00:00Z"}
    one, two = call("track", **body), call("track", **body)
    elsewhere = read_call("track", body, Arrival("other", NOON, Rules()), [])
    assert one.message_id == two.message_id != elsewhere.message_id


def test_untimed_calls_without_message_id_are_two_deeds():
    """Two equal bodies without time and id may be two clicks, so both count."""
    body = {"userId": "u1", "event": "click"}
    assert call("track", **body).message_id != call("track", **body).message_id


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (float("nan"), "traits.bad is NaN or infinite"),
        ("x" * 2_000_000, "traits.bad is 2,000,002 bytes of JSON; at most 32,768"),
        ("\ud800", "traits.bad holds half a surrogate pair"),
        (2**63, "traits.bad is a number beyond 2^63"),
        (1e40, "traits.bad is a number beyond 2^63"),
    ],
)
def test_a_bad_trait_is_left_out_and_nothing_else(bad, why):
    """A trait that cannot be kept is dropped with a note that names it; the rest is taken."""
    notes = []
    event = call("identify", notes=notes, userId="u1", traits={"bad": bad, "plan": "pro"})
    assert event.traits == {"plan": "pro"}
    assert codes(notes) == [NoteCode.VALUE_DROPPED]
    assert notes[0].detail.startswith(why)
    assert notes[0].message_id == event.message_id


def test_nul_is_removed_from_a_trait_with_a_note():
    """Text with NUL is kept without it."""
    notes = []
    assert call("identify", notes=notes, userId="u", traits={"a": "b\0c"}).traits == {"a": "bc"}
    assert codes(notes) == [NoteCode.NUL_REMOVED]


@pytest.mark.parametrize("part", ["properties", "context"])
def test_a_bad_property_is_left_out_and_nothing_else(part):
    """Properties and context are cleaned like traits."""
    notes = []
    event = call("page", notes=notes, userId="u1", **{part: {"bad": float("inf"), "a": None}})
    assert getattr(event, part) == {"a": None}
    assert codes(notes) == [NoteCode.VALUE_DROPPED]


def test_a_long_page_name_is_kept():
    """A page's title is no identifier: its length does not matter."""
    assert call("page", userId="u1", name="t" * 500).name == "t" * 500


def test_declared_types_are_enforced_when_strict():
    """With `types: strict` a value of another type than declared is refused (C12)."""
    rules = Rules(types=Types.STRICT, trait_types={"seats": TraitType.NUMBER})
    notes = []
    event = call("identify", rules, notes, userId="u1", traits={"seats": "five", "plan": 7, "x": 1})
    assert event.traits == {"x": 1}
    assert [note.detail.split(";")[0] for note in notes] == [
        "traits.seats is not of type number",
        "traits.plan is not of type string",
    ]


def test_declared_types_are_reported_when_lenient():
    """With `types: lenient` the value is taken as it is, and reported (C12)."""
    notes = []
    event = call("identify", notes=notes, userId="u1", traits={"plan": 7})
    assert event.traits == {"plan": 7}
    assert codes(notes) == [NoteCode.TYPE_CHANGED]
