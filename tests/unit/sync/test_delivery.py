"""What is sent again of a batch that was refused, and what is not."""

from __future__ import annotations

from crmsync.errors import BatchRejected
from crmsync.model import Action, Batch, CrmId, LinkId, Operation, Outcome, Result
from crmsync.sync.delivery import deliver

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
