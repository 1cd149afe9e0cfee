"""What every connector promises, whatever its CRM (docs/delivery, faults 18-26 and 29-34)."""

from __future__ import annotations

import traceback

import pytest

from crmsync.connectors.base import Key
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    Failure,
    FieldSchema,
    FieldType,
    LinkId,
    Operation,
    Outcome,
    Value,
)
from tests.contract.bench import KEY, Lost, Oddity, Refusal

LATE = {Lost.SILENT, Lost.DRIPPING}


def upserts(bench, count, *, first=0, **fields):
    """A batch that upserts people by our key."""
    operations = [
        Operation(
            LinkId(n),
            Action.UPSERT,
            {"email": f"p{n}@x.io", "firstname": f"P {n}", KEY: f"k{n}", **fields},
            match_value=f"k{n}",
        )
        for n in range(first, first + count)
    ]
    return Batch(bench.object_type, Action.UPSERT, operations, KEY)


def updates(bench, *changes):
    """A batch that updates records by id."""
    operations = [
        Operation(LinkId(n), Action.UPDATE, fields, crm_id=crm_id)
        for n, (crm_id, fields) in enumerate(changes)
    ]
    return Batch(bench.object_type, Action.UPDATE, operations)


def creates(bench, *records):
    """A batch that creates records."""
    operations = [Operation(LinkId(n), Action.CREATE, f) for n, f in enumerate(records)]
    return Batch(bench.object_type, Action.CREATE, operations)


def held_keys(bench):
    """The values of our key that the CRM holds."""
    return sorted(fields[KEY] for fields in bench.held() if fields.get(KEY))


# --- writes -------------------------------------------------------------------------------


def test_an_empty_batch_makes_no_call(bench):
    """Nothing to write, nothing to read: no request."""
    connector = bench.connector()
    assert connector.write(upserts(bench, 0)) == []
    assert connector.read(bench.object_type, [], ["email"]) == []
    assert bench.calls() == 0


def test_a_batch_is_one_call(bench):
    """A full batch is written in one request, and again without a new record."""
    connector = bench.connector()
    count = connector.capabilities.records_per_call[Action.UPSERT]
    first = connector.write(upserts(bench, count))
    assert bench.calls() == 1
    assert all(r.outcome is Outcome.SUCCEEDED and r.created for r in first)
    second = connector.write(upserts(bench, count, firstname="Again"))
    assert [r.crm_id for r in second] == [r.crm_id for r in first]
    assert not any(r.created for r in second)
    assert len(bench.held()) == count


@pytest.mark.parametrize("oddity", [Oddity.REORDERED, Oddity.REORDERED_UNNAMED])
@pytest.mark.parametrize("action", [Action.UPSERT, Action.CREATE, Action.UPDATE])
def test_results_are_matched_by_name_not_by_place(bench, action, oddity):
    """However the CRM orders its answer, each operation gets the id of its own record."""
    connector = bench.connector()
    bench.surprise(oddity)
    batch = upserts(bench, 20)
    if action is Action.CREATE:
        batch = creates(bench, *(operation.fields for operation in batch.operations))
    results = connector.write(batch)
    if action is Action.UPDATE:
        changes = [(r.crm_id, {"firstname": f"new {n}"}) for n, r in enumerate(results)]
        results = connector.write(updates(bench, *changes))
    assert all(result.outcome is Outcome.SUCCEEDED for result in results)
    found = connector.read(bench.object_type, [Key(str(r.crm_id)) for r in results], [KEY])
    assert [record.fields[KEY] for record in found] == [f"k{n}" for n in range(20)]


def test_one_bad_record_does_not_stop_the_others(bench):
    """The refused one says which field, the CRM's code and what to do; the others are written."""
    connector = bench.connector()
    bad, blamed = bench.refused_fields()
    batch = upserts(bench, 3)
    spoiled = Operation(
        LinkId(1), Action.UPSERT, {**batch.operations[1].fields, **bad}, match_value="k1"
    )
    operations = [batch.operations[0], spoiled, batch.operations[2]]
    results = connector.write(Batch(bench.object_type, Action.UPSERT, operations, KEY))
    assert [r.outcome for r in results] == [
        Outcome.SUCCEEDED,
        Outcome.REJECTED,
        Outcome.SUCCEEDED,
    ]
    failure = results[1].failure
    assert failure
    assert failure.code
    assert failure.hint
    assert failure.field == blamed
    assert held_keys(bench) == ["k0", "k2"]


def test_an_unknown_field_is_named(bench):
    """A field the CRM lacks is refused by name, for the record or for the batch."""
    refusal: BatchRejected | Failure | None
    try:
        [result] = bench.connector().write(upserts(bench, 1, nonsense="x"))
        refusal = result.failure
    except BatchRejected as error:
        refusal = error
    assert refusal
    assert (refusal.field, refusal.code) == ("nonsense", "PROPERTY_DOESNT_EXIST")
    assert bench.held() == []


def test_one_record_named_twice_does_not_stop_the_others(bench):
    """Two operations with one key in a batch make one record, and the rest is written."""
    batch = upserts(bench, 3)
    operations = [*batch.operations, batch.operations[0]]
    results = bench.connector().write(Batch(bench.object_type, Action.UPSERT, operations, KEY))
    assert [r.outcome for r in results[:3]] == [Outcome.SUCCEEDED] * 3
    assert results[3].outcome in {Outcome.SUCCEEDED, Outcome.RETRY}
    assert held_keys(bench) == ["k0", "k1", "k2"]


def test_a_value_somebody_else_holds_names_the_holder(bench):
    """A create that meets a unique value is refused with the id of the record that has it."""
    connector = bench.connector()
    [first] = connector.write(upserts(bench, 1))
    fields = {"email": "P0@x.io", "firstname": "Other", KEY: "other"}
    [result] = connector.write(creates(bench, fields))
    assert result.outcome is Outcome.REJECTED
    assert result.existing_id == first.crm_id
    assert len(bench.held()) == 1


def test_a_record_that_is_gone_is_refused(bench):
    """Updating an archived record is refused for that record alone."""
    connector = bench.connector()
    one, two = connector.write(upserts(bench, 2))
    archive = Operation(LinkId(0), Action.ARCHIVE, {}, crm_id=one.crm_id)
    [result] = connector.write(Batch(bench.object_type, Action.ARCHIVE, [archive]))
    assert result.outcome is Outcome.SUCCEEDED
    changes = [(one.crm_id, {"firstname": "a"}), (two.crm_id, {"firstname": "b"})]
    gone, kept = connector.write(updates(bench, *changes))
    assert gone.outcome is Outcome.REJECTED
    assert gone.failure
    assert gone.failure.code == "OBJECT_NOT_FOUND"
    assert kept.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("oddity", [Oddity.EMPTY, Oddity.ONE_MISSING])
def test_a_record_the_answer_does_not_mention_is_unknown(bench, oddity):
    """Fewer results than inputs: the missing ones are neither done nor safe to create again."""
    bench.surprise(oddity)
    results = bench.connector().write(upserts(bench, 2))
    assert len(results) == 2
    for place, result in enumerate(results):
        keys = [Key(f"k{place}", KEY)]
        bench.recover()
        if bench.connector().read(bench.object_type, keys, [KEY]) == [None]:
            assert result.outcome is Outcome.UNKNOWN
        assert result.outcome in {Outcome.UNKNOWN, Outcome.SUCCEEDED}


def test_clearing_a_field_clears_it(bench):
    """None is written as "nothing" and read back as None."""
    connector = bench.connector()
    [result] = connector.write(upserts(bench, 1))
    connector.write(updates(bench, (result.crm_id, {"firstname": None})))
    [record] = connector.read(bench.object_type, [Key(str(result.crm_id))], ["firstname", "email"])
    assert record.fields == {"firstname": None, "email": "p0@x.io"}


# --- lost and refused calls ---------------------------------------------------------------


@pytest.mark.parametrize("how", Lost)
def test_a_lost_answer_to_a_write_is_unknown_and_sent_once(bench, how):
    """Reset, cut, unreadable, gateway, deadline: OutcomeUnknown, and never a second request."""
    bench.lose(how)
    connector = bench.connector(deadline_seconds=0.5 if how in LATE else 10)
    with pytest.raises(OutcomeUnknown):
        connector.write(upserts(bench, 2))
    assert bench.calls() == 1
    bench.recover()
    assert len(connector.write(upserts(bench, 2))) == 2
    assert held_keys(bench) == ["k0", "k1"]


@pytest.mark.parametrize("how", Lost)
def test_a_lost_answer_to_a_read_is_unavailable_or_mended(bench, how):
    """A read changes nothing: it is asked again, or Unavailable; never an empty answer."""
    connector = bench.connector(deadline_seconds=0.5 if how in LATE else 10)
    [result] = connector.write(upserts(bench, 1))
    connector.read(bench.object_type, [Key(str(result.crm_id))], [KEY])
    bench.lose(how)
    with pytest.raises((Unavailable, OutcomeUnknown)):
        connector.read(bench.object_type, [Key(str(result.crm_id))], [KEY])


def test_a_429_says_how_long_to_wait(bench):
    """With a header its seconds; without one a wait of the connector's own, within a minute."""
    bench.refuse(Refusal.RATE_LIMITED_FOR_7_SECONDS)
    with pytest.raises(RateLimited) as caught:
        bench.connector().write(upserts(bench, 1))
    assert caught.value.retry_after_seconds == 7
    bench.recover()
    bench.refuse(Refusal.RATE_LIMITED)
    with pytest.raises(RateLimited) as caught:
        bench.connector().write(upserts(bench, 1))
    assert 0 < caught.value.retry_after_seconds <= 60
    assert bench.held() == []


@pytest.mark.parametrize(
    ("how", "cause"),
    [(Refusal.TOKEN_EXPIRED, "reauth_required"), (Refusal.SCOPE_MISSING, "missing_scope")],
)
def test_credentials_and_permission_halt_the_connection(bench, how, cause):
    """A refused token or scope is the connection's affair: it says what a person must do."""
    connector = bench.connector()
    bench.refuse(how)
    with pytest.raises(ConnectionHalted) as caught:
        connector.write(upserts(bench, 1))
    assert caught.value.cause == cause
    assert caught.value.hint
    if how is Refusal.SCOPE_MISSING:
        assert "widgets.write" in caught.value.hint


@pytest.mark.parametrize("how", [*Lost, *Refusal])
def test_errors_hold_no_person_and_no_secret(bench, how):
    """The text of an error has neither token nor values, and neither has its printed chain."""
    (bench.lose if isinstance(how, Lost) else bench.refuse)(how)
    connector = bench.connector(deadline_seconds=0.5 if how in LATE else 10)
    with pytest.raises(Exception) as caught:  # noqa: PT011 (any of our errors)
        connector.write(upserts(bench, 1))
    printed = "".join(traceback.format_exception(caught.value))
    assert "p0@x.io" not in printed
    assert "pat-na1-contract" not in printed


# --- reads --------------------------------------------------------------------------------


def test_a_read_keeps_the_order_of_its_keys(bench):
    """One entry per key in order: None where there is no record, repeats repeated."""
    connector = bench.connector()
    connector.write(upserts(bench, 3))
    keys = [Key(value, KEY) for value in ("k2", "nobody", "k0", "k2")]
    found = connector.read(bench.object_type, keys, ["email"])
    assert [record and record.fields["email"] for record in found] == [
        "p2@x.io",
        None,
        "p0@x.io",
        "p2@x.io",
    ]


def test_a_read_by_email_ignores_case(bench):
    """An address is found however it is written."""
    connector = bench.connector()
    connector.write(upserts(bench, 1))
    [record] = connector.read(bench.object_type, [Key("P0@X.io", "email")], [KEY])
    assert record.fields == {KEY: "k0"}


def test_many_keys_are_read_in_few_calls(bench):
    """More keys than fit one call take as many calls as they need."""
    connector = bench.connector()
    connector.write(upserts(bench, 100))
    connector.write(upserts(bench, 50, first=100))
    before = bench.calls()
    keys = [Key(f"k{n}", KEY) for n in range(150)]
    found = connector.read(bench.object_type, keys, ["firstname"])
    assert [record.fields["firstname"] for record in found] == [f"P {n}" for n in range(150)]
    assert bench.calls() - before <= -(-150 // connector.capabilities.records_per_read)


VALUES: dict[FieldType, list[Value]] = {
    FieldType.TEXT: ["plain", "Ünïcødé 🎉 \u200f", " a; b ", "0012", "true"],
    FieldType.PHONE: ["+4915112345678"],
    FieldType.NUMBER: [0, 7, -3, 12.5, 1e-7, 123456789012345, 0.1],
    FieldType.BOOLEAN: [True, False],
    FieldType.DATE: ["2026-02-28", "1970-01-01", "1899-12-31"],
    FieldType.DATETIME: ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.000Z"],
    FieldType.PICKLIST: ["b"],
    FieldType.MULTI_PICKLIST: [["a", "b"], ["b"]],
}


@pytest.mark.parametrize("kind", VALUES)
def test_what_is_written_is_read_back_the_same(bench, kind):
    """A canonical value survives the CRM unchanged; otherwise it would be sent for ever."""
    connector = bench.connector()
    options = (("a", "A"), ("b", "B")) if "picklist" in kind else ()
    connector.create_field(bench.object_type, FieldSchema("x", "X", kind, options=options))
    values = VALUES[kind]
    batch = upserts(bench, len(values))
    operations = [
        Operation(op.link_id, op.action, {**op.fields, "x": value}, match_value=op.match_value)
        for op, value in zip(batch.operations, values, strict=True)
    ]
    results = connector.write(Batch(bench.object_type, Action.UPSERT, operations, KEY))
    assert [r.failure for r in results] == [None] * len(values)
    found = connector.read(bench.object_type, [Key(str(r.crm_id)) for r in results], ["x"])
    assert [record.fields["x"] for record in found] == values
    assert [type(record.fields["x"]) for record in found] == [type(value) for value in values]


# --- metadata and changes -----------------------------------------------------------------


def test_check_says_who_answered(bench):
    """A check returns the account."""
    account = bench.connector().check()
    assert account.id
    assert account.name


def test_a_field_is_made_once(bench):
    """Our field is described as unique text; making it again changes nothing."""
    connector = bench.connector()
    connector.create_field(bench.object_type, FieldSchema(KEY, "another", FieldType.NUMBER))
    field = connector.describe(bench.object_type).fields[KEY]
    assert (field.type, field.unique, field.writable) == (FieldType.TEXT, True, True)


def test_changes_end_and_go_on(bench):
    """Every change comes once the pages are read; from the last cursor comes what is newer."""
    connector = bench.connector()
    connector.write(upserts(bench, 100))
    connector.write(upserts(bench, 100, first=100))
    connector.write(upserts(bench, 50, first=200))
    bench.settle()
    pages = list(connector.changes(bench.object_type, None, [KEY]))
    keys = [record.fields[KEY] for page in pages for record in page.records]
    assert sorted(keys) == sorted(f"k{n}" for n in range(250))
    connector.write(upserts(bench, 1, firstname="New"))
    bench.settle()
    later = list(connector.changes(bench.object_type, pages[-1].cursor, [KEY, "firstname"]))
    newest = [record.fields for page in later for record in page.records][-1]
    assert newest == {KEY: "k0", "firstname": "New"}


def test_changes_of_nothing(bench):
    """An empty CRM yields no page."""
    assert list(bench.connector().changes(bench.object_type, None, [KEY])) == []


def test_an_unknown_object_type_is_a_mistake_in_the_files(bench):
    """Where object types are fixed, an unknown one is ConfigError by name; else it is empty."""
    try:
        said = bench.connector().describe("widgets").object_type
    except ConfigError as error:
        said = error.user_message
    assert "widgets" in said


def test_ids_are_text(bench):
    """A CRM id is a non-empty string."""
    [result] = bench.connector().write(upserts(bench, 1))
    assert isinstance(result.crm_id, str)
    assert CrmId(result.crm_id)
