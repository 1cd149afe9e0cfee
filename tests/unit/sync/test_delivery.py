"""What is sent again of a batch that was refused, and what is not."""

from __future__ import annotations

from crmsync.connectors.departures import note_write
from crmsync.errors import BatchRejected
from crmsync.model import Action, Batch, CrmId, LinkId, Operation, Outcome, Result
from crmsync.sync.delivery import MISFIT, deliver

POISON = 5


class Choosy:
    """A CRM that refuses the part of a call in which a certain record is, and writes the rest."""

    def __init__(self, part):
        self.part = part
        self.sent = []

    def write(self, batch):
        links = [operation.link_id for operation in batch.operations]
        self.sent.append(links)
        done = {n: Result(Outcome.SUCCEEDED, CrmId(str(link))) for n, link in enumerate(links)}
        if POISON in links:
            first = links.index(POISON) // self.part * self.part
            left = {n: r for n, r in done.items() if not first <= n < first + self.part}
            raise BatchRejected("no", code="NO", settled=left)
        return list(done.values())


def batch_of(count):
    """A batch of updates."""
    operations = [
        Operation(LinkId(n), Action.UPDATE, {"x": n}, crm_id=CrmId(str(n))) for n in range(count)
    ]
    return Batch("contacts", Action.UPDATE, operations)


def test_only_the_refused_part_is_sent_again():
    """It is halved until the record at fault is alone; what was settled is never sent twice."""
    crm = Choosy(part=4)
    delivered = deliver(crm, batch_of(12), lambda: True)
    assert [place for place, r in enumerate(delivered.results) if not r.crm_id] == [POISON]
    assert delivered.results[POISON].outcome is Outcome.REJECTED
    assert [r.crm_id for r in delivered.results if r.crm_id] == [
        str(n) for n in range(12) if n != POISON
    ]
    written = [link for links in crm.sent[1:] for link in links]
    assert set(written) == {4, 5, 6, 7}
    assert delivered.calls == len(crm.sent)


def test_a_record_that_is_refused_alone_is_not_sent_again():
    """The part was that one record."""
    crm = Choosy(part=1)
    delivered = deliver(crm, batch_of(8), lambda: True)
    assert delivered.results[POISON].outcome is Outcome.REJECTED
    assert delivered.calls == len(crm.sent) == 1


def test_what_is_left_of_a_lease_counts_for_the_rest_too():
    """Nothing begins that might not end in time; what was settled stays settled."""
    allowed = iter([True, False, False])
    delivered = deliver(Choosy(part=4), batch_of(8), lambda: next(allowed))
    outcomes = [r.outcome for r in delivered.results]
    assert outcomes == [Outcome.SUCCEEDED] * 4 + [Outcome.RETRY] * 4


class Buggy:
    """A connector that fails on some records, before it sends a call or after it has."""

    def __init__(self, *poison, sends_first=False):
        self.poison = set(poison)
        self.sends_first = sends_first
        self.written = []

    def write(self, batch):
        links = [operation.link_id for operation in batch.operations]
        if self.sends_first:
            note_write()
        if self.poison & set(links):
            raise KeyError("somebody's value")
        note_write()
        self.written += links
        return [Result(Outcome.SUCCEEDED, CrmId(str(link))) for link in links]


def test_a_record_that_a_connector_cannot_write_is_alone_in_its_failure():
    """A fault before anything was sent is parted from the others, which are sent once."""
    crm = Buggy(POISON)
    delivered = deliver(crm, batch_of(12), lambda: True)
    failed = delivered.results[POISON]
    assert (failed.outcome, failed.failure.code) == (Outcome.REJECTED, "UNSENDABLE")
    assert "somebody" not in failed.failure.message
    assert sorted(crm.written) == [n for n in range(12) if n != POISON]
    assert delivered.rest is None


def test_a_connector_that_fails_on_every_record_is_not_the_records_fault():
    """Nobody is set aside: the sync rests until the fault is mended."""
    delivered = deliver(Buggy(*range(12)), batch_of(12), lambda: True)
    assert {r.outcome for r in delivered.results} == {Outcome.RETRY}
    assert delivered.rest is not None
    assert (delivered.rest.cause, delivered.calls) == (MISFIT, 0)


def test_what_may_have_been_sent_before_a_fault_is_not_sent_again():
    """Its outcome is unknown, as with a lost answer."""
    delivered = deliver(Buggy(POISON, sends_first=True), batch_of(12), lambda: True)
    assert {r.outcome for r in delivered.results} == {Outcome.UNKNOWN}
    assert delivered.calls == 1
