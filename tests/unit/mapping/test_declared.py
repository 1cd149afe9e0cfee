"""What a connector declares of its CRM, against what the files ask of it."""

from __future__ import annotations

import pytest

from crmsync.errors import ConfigError

PROJECT = """\
connections:
  crm: {connector: hubspot}
  sf: {connector: salesforce}
"""
ACCOUNTS = """\
connection: sf
source: companies
object: Account
match: {ours__c: profile_id}
fields: {Name: name}
"""
CONTACTS = """\
connection: sf
object: Contact
match: {ours__c: profile_id}
fields:
  LastName: last_name
"""
TIED = f"{CONTACTS}associate: {{Account: accounts}}\n"
ACCOUNT_ID = "  AccountId: company\n"


def problems_of(load, project: str = PROJECT, **mappings: str) -> list[str]:
    """Load files that must be refused; give each problem with its file and place."""
    with pytest.raises(ConfigError) as refused:
        load(project, **mappings)
    return [f"{p.file}:{p.line}:{p.column}: {p.message}" for p in refused.value.problems]


def test_a_field_that_an_association_fills_is_filled_by_nothing_else(load):
    """The two would take turns; each alone is fine."""
    both = CONTACTS + ACCOUNT_ID + "associate: {Account: accounts}\n"
    assert problems_of(load, accounts=ACCOUNTS, contacts=both) == [
        (
            "mappings/contacts.yaml:6:3: 'AccountId' is filled by `associate`: it names the record "
            "of 'Account'; remove one of the two"
        )
    ]
    load(PROJECT, accounts=ACCOUNTS, contacts=TIED)
    load(PROJECT, accounts=ACCOUNTS, contacts=CONTACTS + ACCOUNT_ID)


def test_where_records_are_tied_by_a_call_a_field_of_that_name_is_another(load):
    """Only the CRM's own reference fields are taken."""
    firms = ACCOUNTS.replace("sf", "crm").replace("Account", "companies")
    contacts = CONTACTS.replace("sf", "crm").replace("Contact", "contacts") + ACCOUNT_ID
    load(PROJECT, firms=firms, contacts=f"{contacts}associate: {{companies: firms}}\n")


def test_a_crm_that_cannot_merge_is_not_asked_to(load):
    """At the line that asks; one that can is."""
    asking = f"{CONTACTS}on_merge: merge_in_crm\n"
    assert problems_of(load, contacts=asking) == [
        (
            "mappings/contacts.yaml:6:1: salesforce merges no records when asked to: say "
            "`on_merge: keep`; what people merge in the CRM is followed"
        )
    ]
    load(PROJECT, contacts=f"{CONTACTS}on_merge: keep\n")
    load(PROJECT, contacts=asking.replace("sf", "crm"))


def test_a_crm_that_cannot_merge_is_not_asked_to_merge_duplicates(load):
    """As for people who turned out to be one."""
    asking = f"{CONTACTS}on_duplicate: merge\n"
    [problem] = problems_of(load, contacts=asking)
    assert "`on_duplicate: report`" in problem
    load(PROJECT, contacts=asking.replace("sf", "crm"))


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ("calls_per_10: 9", "3:14: unknown limit 'calls_per_10' (did you mean 'calls_per_10s'?)"),
        (
            "daily_tokens: 9",
            (
                "3:14: unknown limit 'daily_tokens'; hubspot has calls_per_10s, concurrent_calls "
                "or daily_calls"
            ),
        ),
    ],
)
def test_the_limits_are_those_of_the_connector(load, limits, problem):
    """Another CRM's mean nothing here."""
    project = f"connections:\n  crm: {{connector: hubspot,\n    limits: {{{limits}}}}}\n"
    assert problems_of(load, project=project) == [f"crmsync.yaml:{problem}"]


def test_an_unknown_connector_is_the_only_complaint(load):
    """Nothing is known of what it can do."""
    project = "connections:\n  sf: {connector: salesfroce, limits: {any: 1}}\n"
    found = problems_of(load, project=project, contacts=f"{CONTACTS}on_merge: merge_in_crm\n")
    assert found == [
        "crmsync.yaml:2:19: unknown connector 'salesfroce' (did you mean 'salesforce'?)"
    ]
