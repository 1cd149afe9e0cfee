"""An unchanged client library of the tracking specification, pointed at a running API."""

from __future__ import annotations

import pytest
from segment.analytics.client import Client

from crmsync.store import inbox, profiles
from tests.served_api import WRITE_KEY, serving
from tests.workbench import drain, make_fields, the_sync

MAPPING = """
connection: crm
source: profiles
object: contacts
match: {crmsync_id: profile_id, email: email}
fields:
  email: email
  firstname: first_name
  lastname: last_name
  company: company
  our_ref: user_id
  total_visits: pages_viewed
"""


@pytest.mark.parametrize("packed", [False, True])
def test_a_segment_client_needs_only_another_host(new_project, sandbox, packed):
    """All six calls arrive, plain or gzipped, and the person they tell of stands in the CRM."""
    project = new_project(sandbox.url, mappings={"contacts": MAPPING}, goals={"Plan Upgraded": {}})
    works = project.open()
    make_fields(the_sync(works).connector, "our_ref", "total_visits")
    failures: list[Exception] = []
    with serving(works) as api:
        client = Client(
            WRITE_KEY,
            host=api.url,
            gzip=packed,
            upload_interval=0.05,
            on_error=lambda error, _batch: failures.append(error),
        )
        client.page(anonymous_id="anon-1", name="Pricing", properties={"url": "https://x.example"})
        client.screen(anonymous_id="anon-1", name="Home")
        client.identify(
            "user-1",
            {"email": "Ann@Acme.example", "firstName": "Ann", "lastName": "Lee"},
            anonymous_id="anon-1",
        )
        client.alias("anon-1", "user-1")
        client.group("user-1", "acme", {"name": "Acme"})
        client.track("user-1", "Plan Upgraded", {"revenue": 49.5})
        client.flush()
        client.join()
    assert failures == []
    with works.store.database.read() as connection:
        person = profiles.find(connection, "user-1")
        assert person is not None
        told = inbox.history(connection, works.store.vault, person.id)
    assert {one.type for one in told} == {"page", "screen", "identify", "alias", "group", "track"}
    assert person.stats["goals_completed"] == 1
    assert person.stats["revenue"] == 49.5
    assert drain(works) == {"created": 1}
    (record,) = sandbox.control.records("contacts")
    wanted = {
        "email": "ann@acme.example",
        "firstname": "Ann",
        "lastname": "Lee",
        "company": "Acme",
        "our_ref": "user-1",
    }
    assert {name: record["properties"].get(name) for name in wanted} == wanted
