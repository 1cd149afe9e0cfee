"""What every connector promises, whatever its CRM (docs/delivery, faults 18-26 and 29-34)."""

from __future__ import annotations

import traceback
from dataclasses import replace

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
    Result,
    Value,
)
from crmsync.planning.normalise import normaliser_of
from tests.contract.bench import Lost, Oddity, Refusal

LATE = {Lost.SILENT, Lost.DRIPPING}


def person(bench, n, **fields):
    """The fields of a person whom the CRM takes."""
    own = {bench.email: f"p{n}@x.io", bench.first_name: f"P {n}", bench.key: f"k{n}"}
    return {**bench.needed, **own, **fields}


def upserts(bench, count, *, first=0, **fields):
    """A batch that upserts people by our key."""
    operations = [
        Operation(LinkId(n), Action.UPSERT, person(bench, n, **fields), match_value=f"k{n}")
        for n in range(first, first + count)
    ]
    return Batch(bench.object_type, Action.UPSERT, operations, bench.key)


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


def upserting(connector):
    """Whether the CRM itself finds or makes a record by its key; else sync looks first."""
    return Action.UPSERT in connector.capabilities.records_per_call


def strangers(bench, connector, count, **fields):
    """One batch of people whom nobody has looked for: as many of these as one call takes."""
    if upserting(connector):
        return upserts(bench, count, **fields)
    most = min(count, connector.capabilities.records_per_call[Action.CREATE])
    return creates(bench, *(person(bench, n, **fields) for n in range(most)))


def sent(connector, batch):
    """Send a batch in as many calls as it takes; what is lost is unknown, as sync has it."""
    size = connector.capabilities.records_per_call[batch.action]
    results = []
    for start in range(0, len(batch.operations), size):
        part = replace(batch, operations=batch.operations[start : start + size])
        try:
            results += connector.write(part)
        except OutcomeUnknown:
            results += [Result(Outcome.UNKNOWN)] * len(part.operations)
    return results


def written(connector, batch):
    """Write people by key: as the CRM does it itself, or as sync does where it cannot."""
    if upserting(connector) or batch.action is not Action.UPSERT:
        return sent(connector, batch)
    keys = [Key(op.match_value, batch.match_field) for op in batch.operations]
    found = connector.read(batch.object_type, keys, [batch.match_field])
    ids = {key.value: record.crm_id for key, record in zip(keys, found, strict=True) if record}
    results = []
    for op in batch.operations:
        crm_id = ids.get(op.match_value)
        action = Action.UPDATE if crm_id else Action.CREATE
        planned = replace(op, action=action, crm_id=crm_id, match_value=None)
        [result] = sent(connector, Batch(batch.object_type, action, [planned]))
        if result.crm_id:
            ids[op.match_value] = result.crm_id
        results.append(result)
    return results


def write_people(bench, connector, count):
    """Write so many people by key, in batches as large as the CRM takes."""
    most = connector.capabilities.records_per_call.get(Action.UPSERT, count)
    for first in range(0, count, most):
        written(connector, upserts(bench, min(most, count - first), first=first))


def held_keys(bench):
    """The values of our key that the CRM holds."""
    return sorted(fields[bench.key] for fields in bench.held() if fields.get(bench.key))


# --- writes -------------------------------------------------------------------------------


def test_an_empty_batch_makes_no_call(bench):
    """Nothing to write, nothing to read: no request."""
    connector = bench.connector()
    assert connector.write(strangers(bench, connector, 0)) == []
    assert connector.read(bench.object_type, [], [bench.email]) == []
    assert bench.calls() == 0


def test_a_batch_is_one_call(bench):
    """A full batch is written in one request, and again without a new record."""
    connector = bench.connector()
    action = Action.UPSERT if upserting(connector) else Action.CREATE
    count = connector.capabilities.records_per_call[action]
    first = connector.write(strangers(bench, connector, count))
    assert bench.calls() == 1
    assert all(r.outcome is Outcome.SUCCEEDED and r.created for r in first)
    second = written(connector, upserts(bench, count, **{bench.first_name: "Again"}))
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
    results = written(connector, batch)
    if action is Action.UPDATE:
        changes = [(r.crm_id, {bench.first_name: f"new {n}"}) for n, r in enumerate(results)]
        results = sent(connector, updates(bench, *changes))
    assert all(result.outcome is Outcome.SUCCEEDED for result in results)
    found = connector.read(bench.object_type, [Key(str(r.crm_id)) for r in results], [bench.key])
    assert [record.fields[bench.key] for record in found] == [f"k{n}" for n in range(20)]


def test_one_bad_record_does_not_stop_the_others(bench):
    """The refused one says which field, the CRM's code and what to do; the others are written."""
    connector = bench.connector()
    bad, blamed = bench.refused_fields()
    batch = upserts(bench, 3)
    spoiled = Operation(
        LinkId(1), Action.UPSERT, {**batch.operations[1].fields, **bad}, match_value="k1"
    )
    operations = [batch.operations[0], spoiled, batch.operations[2]]
    results = written(connector, Batch(bench.object_type, Action.UPSERT, operations, bench.key))
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
    connector = bench.connector()
    try:
        [result] = connector.write(strangers(bench, connector, 1, nonsense="x"))
        refusal = result.failure
    except BatchRejected as error:
        refusal = error
    assert refusal
    assert (refusal.field, refusal.code) == ("nonsense", bench.unknown_field_code)
    assert bench.held() == []


def test_one_record_named_twice_does_not_stop_the_others(bench):
    """Two operations with one key in a batch make one record, and the rest is written."""
    batch = upserts(bench, 3)
    operations = [*batch.operations, batch.operations[0]]
    results = written(
        bench.connector(), Batch(bench.object_type, Action.UPSERT, operations, bench.key)
    )
    assert [r.outcome for r in results[:3]] == [Outcome.SUCCEEDED] * 3
    assert results[3].outcome in {Outcome.SUCCEEDED, Outcome.RETRY}
    assert held_keys(bench) == ["k0", "k1", "k2"]


def test_a_value_somebody_else_holds_names_the_holder(bench):
    """A create that meets a unique value is refused with the id of the record that has it.

    A CRM that has nothing unique says so and makes a second record: there sync has to look first.
    """
    connector = bench.connector()
    [first] = written(connector, upserts(bench, 1))
    fields = person(bench, 0, **{bench.first_name: "Other", bench.key: "other"})
    [result] = connector.write(creates(bench, fields))
    if not upserting(connector):
        assert not any(f.unique for f in connector.describe(bench.object_type).fields.values())
        assert result.outcome is Outcome.SUCCEEDED
        assert len(bench.held()) == 2
        return
    assert result.outcome is Outcome.REJECTED
    assert result.existing_id == first.crm_id
    assert len(bench.held()) == 1


def test_a_record_that_is_gone_is_refused(bench):
    """Updating an archived record is refused for that record alone."""
    connector = bench.connector()
    one, two = written(connector, upserts(bench, 2))
    archive = Operation(LinkId(0), Action.ARCHIVE, {}, crm_id=one.crm_id)
    [result] = connector.write(Batch(bench.object_type, Action.ARCHIVE, [archive]))
    assert result.outcome is Outcome.SUCCEEDED
    changes = [(one.crm_id, {bench.first_name: "a"}), (two.crm_id, {bench.first_name: "b"})]
    gone, kept = sent(connector, updates(bench, *changes))
    assert gone.outcome is Outcome.REJECTED
    assert gone.failure
    assert gone.failure.code == bench.gone_code
    assert kept.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("oddity", [Oddity.EMPTY, Oddity.ONE_MISSING])
def test_a_record_the_answer_does_not_mention_is_unknown(bench, oddity):
    """Fewer results than inputs: the missing ones are neither done nor safe to create again."""
    bench.surprise(oddity)
    results = written(bench.connector(), upserts(bench, 2))
    assert len(results) == 2
    for place, result in enumerate(results):
        keys = [Key(f"k{place}", bench.key)]
        bench.recover()
        if bench.connector().read(bench.object_type, keys, [bench.key]) == [None]:
            assert result.outcome is Outcome.UNKNOWN
        assert result.outcome in {Outcome.UNKNOWN, Outcome.SUCCEEDED}


def test_clearing_a_field_clears_it(bench):
    """None is written as "nothing" and read back as None."""
    connector = bench.connector()
    [result] = written(connector, upserts(bench, 1))
    connector.write(updates(bench, (result.crm_id, {bench.first_name: None})))
    [record] = connector.read(
        bench.object_type, [Key(str(result.crm_id))], [bench.first_name, bench.email]
    )
    assert record.fields == {bench.first_name: None, bench.email: "p0@x.io"}


# --- lost and refused calls ---------------------------------------------------------------


@pytest.mark.parametrize("how", Lost)
def test_a_lost_answer_to_a_write_is_unknown_and_sent_once(bench, how):
    """Reset, cut, unreadable, gateway, deadline: OutcomeUnknown, and never a second request."""
    bench.lose(how)
    connector = bench.connector(deadline_seconds=0.5 if how in LATE else 10)
    with pytest.raises(OutcomeUnknown):
        connector.write(strangers(bench, connector, 2))
    assert bench.calls() == 1
    bench.recover()
    assert len(written(connector, upserts(bench, 2))) == 2
    assert held_keys(bench) == ["k0", "k1"]


@pytest.mark.parametrize("how", Lost)
def test_a_lost_answer_to_a_read_is_unavailable_or_mended(bench, how):
    """A read changes nothing: it is asked again, or Unavailable; never an empty answer."""
    connector = bench.connector(deadline_seconds=0.5 if how in LATE else 10)
    [result] = written(connector, upserts(bench, 1))
    connector.read(bench.object_type, [Key(str(result.crm_id))], [bench.key])
    bench.lose(how)
    with pytest.raises((Unavailable, OutcomeUnknown)):
        connector.read(bench.object_type, [Key(str(result.crm_id))], [bench.key])


def test_a_429_says_how_long_to_wait(bench):
    """With a header its seconds; without one a wait of the connector's own, within a minute."""
    connector = bench.connector()
    bench.refuse(Refusal.RATE_LIMITED_FOR_7_SECONDS)
    with pytest.raises(RateLimited) as caught:
        connector.write(strangers(bench, connector, 1))
    assert caught.value.retry_after_seconds == 7
    bench.recover()
    bench.refuse(Refusal.RATE_LIMITED)
    with pytest.raises(RateLimited) as caught:
        connector.write(strangers(bench, connector, 1))
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
        connector.write(strangers(bench, connector, 1))
    assert caught.value.cause == cause
    assert caught.value.hint
    if how is Refusal.SCOPE_MISSING:
        assert bench.permission in caught.value.hint


@pytest.mark.parametrize("how", [*Lost, *Refusal])
def test_errors_hold_no_person_and_no_secret(bench, how):
    """The text of an error has neither token nor values, and neither has its printed chain."""
    (bench.lose if isinstance(how, Lost) else bench.refuse)(how)
    connector = bench.connector(deadline_seconds=0.5 if how in LATE else 10)
    with pytest.raises(Exception) as caught:  # noqa: PT011 (any of our errors)
        connector.write(strangers(bench, connector, 1))
    printed = "".join(traceback.format_exception(caught.value))
    assert "p0@x.io" not in printed
    assert bench.secret not in printed


# --- reads --------------------------------------------------------------------------------


def test_a_read_keeps_the_order_of_its_keys(bench):
    """One entry per key in order: None where there is no record, repeats repeated."""
    connector = bench.connector()
    written(connector, upserts(bench, 3))
    keys = [Key(value, bench.key) for value in ("k2", "nobody", "k0", "k2")]
    found = connector.read(bench.object_type, keys, [bench.email])
    assert [record and record.fields[bench.email] for record in found] == [
        "p2@x.io",
        None,
        "p0@x.io",
        "p2@x.io",
    ]


def test_a_read_by_email_ignores_case(bench):
    """An address is found however it is written."""
    connector = bench.connector()
    written(connector, upserts(bench, 1))
    [record] = connector.read(bench.object_type, [Key("P0@X.io", bench.email)], [bench.key])
    assert record.fields == {bench.key: "k0"}


def test_many_keys_are_read_in_few_calls(bench):
    """More keys than fit one call take as many calls as they need."""
    connector = bench.connector()
    write_people(bench, connector, 150)
    before = bench.calls()
    keys = [Key(f"k{n}", bench.key) for n in range(150)]
    found = connector.read(bench.object_type, keys, [bench.first_name])
    assert [record.fields[bench.first_name] for record in found] == [f"P {n}" for n in range(150)]
    assert bench.calls() - before <= -(-150 // connector.capabilities.records_per_read)


VALUES: dict[FieldType, list[Value]] = {
    FieldType.TEXT: ["plain", "Ünïcødé 🎉 \u200f", "a; b", "0012", "true"],
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
    if kind in bench.absent_types:
        with pytest.raises(ConfigError, match=kind):
            bench.make_field(FieldSchema("x", "X", kind))
        return
    name = bench.make_field(FieldSchema("x", "X", kind, options=options))
    field = connector.describe(bench.object_type).fields[name]
    # What the CRM keeps in whole seconds is never sent otherwise.
    values = [normaliser_of(field)(v) if field.whole_seconds else v for v in VALUES[kind]]
    batch = upserts(bench, len(values))
    operations = [
        Operation(op.link_id, op.action, {**op.fields, name: value}, match_value=op.match_value)
        for op, value in zip(batch.operations, values, strict=True)
    ]
    results = written(connector, Batch(bench.object_type, Action.UPSERT, operations, bench.key))
    assert [r.failure for r in results] == [None] * len(values)
    found = connector.read(bench.object_type, [Key(str(r.crm_id)) for r in results], [name])
    assert [record.fields[name] for record in found] == values
    assert [type(record.fields[name]) for record in found] == [type(value) for value in values]


# --- metadata and changes -----------------------------------------------------------------


def test_check_says_who_answered(bench):
    """A check returns the account."""
    account = bench.connector().check()
    assert account.id
    assert account.name


def test_a_field_is_made_once(bench):
    """Our field is described as text, unique where that exists; making it again changes nothing."""
    connector = bench.connector()
    again = FieldSchema(bench.key, "another", FieldType.NUMBER)
    if connector.capabilities.creates_fields:
        connector.create_field(bench.object_type, again)
    else:
        assert bench.key in connector.capabilities.field_steps.format(
            field=bench.key, object=bench.object_type
        )
        with pytest.raises(ConfigError):
            connector.create_field(bench.object_type, again)
    field = connector.describe(bench.object_type).fields[bench.key]
    assert (field.type, field.writable) == (FieldType.TEXT, True)
    assert field.unique is upserting(connector)


def test_changes_end_and_go_on(bench):
    """Every change comes once the pages are read; from the last cursor comes what is newer."""
    connector = bench.connector()
    write_people(bench, connector, 250)
    bench.settle()
    pages = list(connector.changes(bench.object_type, None, [bench.key]))
    keys = [record.fields[bench.key] for page in pages for record in page.records]
    assert sorted(keys) == sorted(f"k{n}" for n in range(250))
    written(connector, upserts(bench, 1, **{bench.first_name: "New"}))
    bench.settle()
    later = list(
        connector.changes(bench.object_type, pages[-1].cursor, [bench.key, bench.first_name])
    )
    newest = [record.fields for page in later for record in page.records][-1]
    assert newest == {bench.key: "k0", bench.first_name: "New"}


def test_changes_of_nothing(bench):
    """An empty CRM yields no page."""
    assert list(bench.connector().changes(bench.object_type, None, [bench.key])) == []


def test_an_unknown_object_type_is_a_mistake_in_the_files(bench):
    """Where object types are fixed, an unknown one is ConfigError by name; else it is empty."""
    try:
        said = bench.connector().describe("widgets").object_type
    except ConfigError as error:
        said = error.user_message
    assert "widgets" in said


def test_ids_are_text(bench):
    """A CRM id is a non-empty string."""
    connector = bench.connector()
    [result] = connector.write(strangers(bench, connector, 1))
    assert isinstance(result.crm_id, str)
    assert CrmId(result.crm_id)
