"""Building a process: what is opened when, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmsync.bootstrap import declared_by, open_store, open_works, rules_of
from crmsync.connectors.memory_crm import MemoryCrm
from crmsync.errors import ConfigError
from crmsync.identity.rules import EmailAsUserId
from crmsync.settings import load_settings
from tests.workbench import ENCRYPTION_KEY, KEYED, new_project

__all__ = ["new_project"]

DEALS = KEYED.replace("contacts", "deals")
HOOKS = {"url": "https://hooks.example.com/hooks/crm", "secret": "${CRM_TOKEN}"}
ACCOUNTS = """\
connection: crm
source: companies
object: Account
match: {crmsync_id__c: profile_id}
fields: {Name: name}
"""
CONTACTS = """\
connection: crm
object: Contact
match: {crmsync_id__c: profile_id}
on_merge: merge_in_crm
associate: {Account: accounts}
fields: {AccountId: company_id}
"""


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite: nothing here is about the database."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


def test_nothing_is_called_before_it_is_used(new_project):
    """Opening a project calls no CRM."""
    MemoryCrm.forget("crm")
    works = new_project(mappings={"contacts": KEYED}).open()
    works.open_sync(works.mappings["contacts"])
    assert not MemoryCrm.named("crm").calls


def test_a_connection_is_opened_once(new_project):
    """Two syncs of one connection share its connector, and with it its limits."""
    works = new_project(mappings={"contacts": KEYED, "deals": DEALS}).open()
    first, second = (works.open_sync(mapping) for mapping in works.configuration.mappings)
    assert first.connector is second.connector


def test_timing_and_limits_come_from_the_project(new_project):
    """What crmsync.yaml says of a connection reaches its syncs."""
    timing = {"request_deadline_seconds": 1, "lease_seconds": 2, "settle_seconds": 3}
    works = new_project(mappings={"contacts": KEYED}, timing=timing).open()
    sync = works.open_sync(works.mappings["contacts"])
    found = sync.timing
    assert (found.request_deadline_seconds, found.lease_seconds, found.settle_seconds) == (1, 2, 3)


def test_a_connector_says_what_timing_suits_its_crm(new_project):
    """Where crmsync.yaml says nothing, Salesforce is given the time that its triggers take."""
    slow = {"crm": {"connector": "memory"}, "sf": {"connector": "salesforce", "auth": {}}}
    known = (
        new_project(mappings={"contacts": KEYED}, connections=slow, timing={})
        .open()
        .configuration.connections
    )
    found = known["sf"].timing
    assert (found.request_deadline_seconds, found.lease_seconds) == (100, 180)
    assert found.settle_seconds == 660
    assert known["crm"].timing.settle_seconds == 300


@pytest.mark.parametrize(
    ("connector", "limits", "merges", "sends_webhooks"),
    [
        ("hubspot", "calls_per_10s daily_calls search_per_second", True, True),
        ("pipedrive", "calls_per_2s daily_tokens search_per_2s", True, True),
        ("salesforce", "daily_calls", False, False),
        ("zoho", "daily_credits concurrent_heavy_calls", True, True),
        ("memory", "calls_per_10s", True, False),
    ],
)
def test_what_files_are_checked_against_is_what_connectors_declare(
    connector, limits, merges, sends_webhooks
):
    """Their limits and `concurrent_calls`, which works for any; what they can do besides."""
    declared = declared_by(connector)
    assert declared.limits == frozenset({*limits.split(), "concurrent_calls"})
    assert (declared.merges, declared.sends_webhooks) == (merges, sends_webhooks)


def test_what_a_crm_cannot_do_is_refused_before_anything_runs(new_project):
    """Salesforce merges no records, fills AccountId by `associate`, and calls no webhooks."""
    sf = {"crm": {"connector": "salesforce", "webhooks": HOOKS}}
    mappings = {"contacts": CONTACTS, "accounts": ACCOUNTS}
    with pytest.raises(ConfigError) as refused:
        new_project(mappings=mappings, connections=sf).open()
    assert [problem.message.partition(":")[0] for problem in refused.value.problems] == [
        "salesforce merges no records when asked to",
        "'AccountId' is filled by `associate`",
    ]
    works = new_project(mappings={"accounts": ACCOUNTS}, connections=sf).open()
    (warning,) = works.configuration.warnings
    assert "sends no webhooks" in warning.message


def test_a_project_may_limit_its_calls_at_once(new_project):
    """`concurrent_calls` is a limit of any connector, and the push makes no more calls at once."""
    limited = {"crm": {"connector": "memory", "limits": {"concurrent_calls": 2}}}
    works = new_project(mappings={"contacts": KEYED}, connections=limited).open()
    assert works.open_sync(works.mappings["contacts"]).calls_in_flight == 2


def test_a_push_makes_no_more_calls_than_the_crm_allows_at_once(new_project):
    """Where crmsync.yaml says nothing, the connector's own limit counts."""
    auth = {"token": "${CRM_TOKEN}"}
    sf = {"crm": {"connector": "salesforce", "base_url": "http://127.0.0.1:1", "auth": auth}}
    works = new_project(mappings={"contacts": KEYED}, connections=sf).open()
    assert works.open_sync(works.mappings["contacts"]).calls_in_flight == 5


def test_the_rules_of_identity_come_from_the_project(new_project):
    """Goals and the rule for e-mails as user ids are those of crmsync.yaml."""
    works = new_project(
        mappings={"contacts": KEYED},
        goals={"Signed Up": {}},
        identity={"email_as_user_id": "user_id"},
    ).open()
    rules = rules_of(works.configuration)
    assert rules.goals == {"Signed Up"}
    assert rules.email_as_user_id is EmailAsUserId.KEEP


def test_what_the_project_reads_is_never_crowded_out(new_project):
    """The limit on trait names spares those of mappings, segments and declarations."""
    reading = KEYED.replace(
        "lastname: last_name", "lastname: {template: '{nick} {company_headquarters}'}"
    )
    rules = rules_of(
        new_project(
            mappings={"contacts": reading + "only: seats > 3\n"},
            segments={"vip": "score > 5 AND last_seen < 7 days"},
            traits={"birthday": "date"},
        )
        .open()
        .configuration
    )
    assert {"nick", "headquarters", "seats", "score", "birthday"} <= rules.read_names


@pytest.mark.integration
def test_a_shared_database_is_migrated_on_purpose(pg_database, tmp_path):
    """On PostgreSQL a start does not change tables: it says which command does."""
    env = {
        "CRMSYNC_CONFIG": str(tmp_path / "crmsync.yaml"),
        "CRMSYNC_DATABASE_URL": pg_database,
        "CRMSYNC_KEYS": ENCRYPTION_KEY,
    }
    with pytest.raises(ConfigError, match="crmsync migrate"):
        open_store(load_settings(env))


def test_a_project_that_is_not_there_is_said_so(tmp_path):
    """Without crmsync.yaml the message names the file and the command that writes one."""
    settings = load_settings({"CRMSYNC_CONFIG": str(tmp_path / "crmsync.yaml")})
    with pytest.raises(ConfigError, match="crmsync init"):
        open_works(settings, env={})
