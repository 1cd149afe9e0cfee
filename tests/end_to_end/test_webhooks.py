"""`crmsync webhooks`: what a person is told, and what then stands in the CRM."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import pytest

from crmsync.bootstrap import open_works
from crmsync.cli.entry import run
from crmsync.connectors.base import Delivery
from crmsync.connectors.hubspot.webhooks import SIGNATURE, TIMESTAMP, signature_of
from crmsync.settings import load_settings
from crmsync.sync.webhooks import receive
from tests.crms import HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO, Crm
from tests.end_to_end.folders import write_project
from tests.sandboxes import WatchedControl, running
from tests.workbench import TOKEN

SECRET = "a-secret-of-our-own"  # noqa: S105 - of a simulated account
OWNERS = {"hubspot": "hubspot_owner_id", "pipedrive": "owner_id", "zoho": "Owner",
          "salesforce": "OwnerId"}  # fmt: skip
Begin = Callable[..., "Begun"]


@dataclass(frozen=True)
class Begun:
    """A CRM, and a folder with a project that reads it back."""

    crm: Crm
    control: WatchedControl
    url: str

    def told_of(self) -> list[object]:
        """Return what the CRM holds of our webhooks."""
        if self.crm is PIPEDRIVE:
            return list(self.control.act("webhooks"))
        return [e for e in self.control.ledger(path="*/watch") if e["method"] == "POST"]


@pytest.fixture
def begin(crm, folder, monkeypatch) -> Iterator[Begin]:
    """Writes a project of this CRM, with webhooks or without."""
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with running(crm.name, limits=False, **crm.settings) as sandbox:

        def make(*, webhooks: bool = True, **more: object) -> Begun:
            url = f"http://127.0.0.1:1/hooks/{crm.name}"
            hooks = {"webhooks": {"url": url, "secret": "${HOOK_SECRET}"}} if webhooks else {}
            more = more or {"pull": {"contact_owner": OWNERS[crm.name]}}
            connections = {crm.name: crm.connection(sandbox.url, **hooks)}
            write_project(folder, connections, {"people": crm.mapping(crm.by_key, **more)})
            return Begun(crm, sandbox.control, url)

        yield make


def of(*crms: Crm) -> pytest.MarkDecorator:
    """For these CRMs."""
    return pytest.mark.parametrize("crm", crms, ids=lambda crm: crm.name)


@of(PIPEDRIVE, ZOHO)
def test_they_are_set_up_kept_and_taken_down(begin, crm, capsys):
    """What was asked for is told, with its end; again it is all there; then it is gone."""
    begun = begin()
    assert run(["webhooks"]) == 0
    first = capsys.readouterr().out
    assert first.startswith(f"{crm.name}: ")
    assert "workers renew it; else it ends 20" in first
    assert "last news  none yet" in first
    made = len(begun.told_of())
    assert made == 1
    assert run(["webhooks", crm.name]) == 0
    assert ("all there" in (again := capsys.readouterr().out)) or "already" in again
    assert len(begun.told_of()) == made
    assert run(["webhooks", crm.name, "--remove"]) == 0
    assert "tells us nothing more" in capsys.readouterr().out
    if crm is PIPEDRIVE:
        assert begun.told_of() == []
    assert run(["webhooks", crm.name, "--remove"]) == 0


@of(PIPEDRIVE, ZOHO)
def test_connecting_sets_them_up(begin, crm, capsys):
    """At its end, where crmsync.yaml has them."""
    begun = begin()
    assert run(["connect", crm.name]) == 0
    said = capsys.readouterr().out
    assert "answers: account" in said
    assert "workers renew it" in said
    assert len(begun.told_of()) == 1


@of(PIPEDRIVE)
def test_connecting_sets_up_nothing_unasked(begin, crm, capsys):
    """Most connections have no address that a CRM could call."""
    begun = begin(webhooks=False)
    assert run(["connect", crm.name]) == 0
    assert "news" not in capsys.readouterr().out
    assert begun.told_of() == []


@of(HUBSPOT)
def test_hubspot_is_for_a_person_to_set_up(begin, crm, capsys):
    """The steps are told, without the secret, until the first news has come."""
    begun = begin()
    assert run(["webhooks"]) == 1
    said = capsys.readouterr()
    assert begun.url in said.err
    assert "contact.*" in said.err
    assert "last news  none yet" in said.out
    assert SECRET not in said.out + said.err
    body = orjson.dumps(
        [
            {
                "portalId": 7,
                "occurredAt": time.time_ns() // 1_000_000,
                "subscriptionType": "contact.creation",
                "objectId": 1,
            }
        ]
    )
    sent_ms = str(time.time_ns() // 1_000_000)
    signature = signature_of(SECRET, "POST", begun.url, body, sent_ms)
    headers = {SIGNATURE: signature, TIMESTAMP: sent_ms}
    works = open_works(load_settings())
    delivery = Delivery("POST", begun.url, headers, body, datetime.now(UTC))
    assert receive(works, crm.name, delivery) == 1
    works.store.database.dispose()
    assert run(["webhooks"]) == 0
    assert "last news  20" in capsys.readouterr().out


@of(HUBSPOT)
def test_connecting_does_not_fail_for_them(begin, crm, capsys):
    """The connection works without; the steps are told."""
    begun = begin()
    assert run(["connect", crm.name]) == 0
    assert begun.url in capsys.readouterr().err


@of(SALESFORCE)
def test_salesforce_calls_nobody(begin, crm, capsys):
    """It is said so, and how changes are found."""
    begin()
    assert run(["webhooks", crm.name]) == 1
    assert "pull_seconds" in capsys.readouterr().err


@of(PIPEDRIVE)
def test_there_is_nothing_to_set_up(begin, crm, capsys):
    """Without `webhooks:`, for a connection that is none, and where nothing is read back."""
    begun = begin(webhooks=False)
    assert run(["webhooks"]) == 0
    assert "no connection has `webhooks:`" in capsys.readouterr().err
    assert run(["webhooks", crm.name]) == 1
    assert "has no `webhooks:` in crmsync.yaml" in capsys.readouterr().err
    assert run(["webhooks", "nobody"]) == 1
    assert "no connection 'nobody'" in capsys.readouterr().err
    begin(trigger="realtime")
    assert run(["webhooks", crm.name]) == 1
    assert "nothing to be told of" in capsys.readouterr().err
    assert begun.told_of() == []


@of(PIPEDRIVE)
def test_a_crm_that_is_down_is_no_stack_trace(begin, crm, capsys):
    """It is told, and the exit code is 1."""
    begun = begin()
    begun.control.fault("answer", status=503, path="*/webhooks")
    assert run(["webhooks", crm.name]) == 1
    said = capsys.readouterr()
    assert "Pipedrive answered 503" in said.err
    assert "Traceback" not in said.err
