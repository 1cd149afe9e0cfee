"""Mappings that name one another, and traits that more than one of them reads."""

from __future__ import annotations

import pytest

from crmsync.errors import ConfigError

PROJECT = """\
connections:
  crm: {connector: hubspot}
  other: {connector: zoho}
"""
COMPANIES = """\
connection: crm
source: companies
object: companies
match: {ours: profile_id}
fields: {name: name}
"""
CONTACTS = """\
connection: crm
object: contacts
match: {ours: profile_id}
fields: {email: email}
"""
LEADS = CONTACTS.replace("contacts", "leads")


def problems_of(load, **mappings: str) -> list[str]:
    """Load mappings that must be refused; give each problem with its file and place."""
    with pytest.raises(ConfigError) as refused:
        load(PROJECT, **mappings)
    return [
        f"{p.file.removeprefix('mappings/')}:{p.line}:{p.column}: {p.message}"
        for p in refused.value.problems
    ]


def test_people_are_tied_to_the_companies_of_a_sync(load):
    """A person who comes to belong to another company is sent again."""
    text = f"{CONTACTS}associate: {{companies: firms}}\n"
    tied = load(PROJECT, contacts=text, firms=COMPANIES).mappings[0]
    assert tied.associations == (("companies", "firms"),)
    assert "company_id" in tied.reads
    assert tied.hash != load(PROJECT, contacts=CONTACTS, firms=COMPANIES).mappings[0].hash


@pytest.mark.parametrize(
    ("associate", "problem"),
    [
        ("{companies: frims}", "5:24: unknown sync 'frims' (did you mean 'firms'?)"),
        ("{companies: x}", "5:24: unknown sync 'x'; there are contacts, firms, leads or others"),
        ("{leads: leads}", "5:20: 'leads' sends people; name a sync with `source: companies`"),
        (
            "{companies: others}",
            (
                "5:24: 'others' is of connection 'other', this mapping of 'crm': "
                "only records of one account can be tied"
            ),
        ),
        ("{accounts: firms}", "5:23: 'firms' makes records of 'companies', not 'accounts'"),
    ],
)
def test_a_sync_that_people_cannot_be_tied_to(load, associate, problem):
    """With the reason, at the name."""
    found = problems_of(
        load,
        contacts=f"{CONTACTS}associate: {associate}\n",
        leads=LEADS,
        firms=COMPANIES,
        others=COMPANIES.replace("crm", "other"),
    )
    assert found == [f"contacts.yaml:{problem}"]


def test_a_sync_whose_own_file_is_wrong_is_not_reported_twice(load):
    """It is there, and its mistake stands where it is."""
    found = problems_of(
        load,
        contacts=f"{CONTACTS}associate: {{companies: firms}}\nunless_linked: firms\n",
        firms="connection: crm\n",
    )
    assert found == ["firms.yaml:1:1: missing keys 'object', 'match', 'fields'"]


@pytest.mark.parametrize("names", ["contacts", "[contacts]", "[contacts, others]"])
def test_who_has_a_record_elsewhere_is_not_sent(load, names):
    """By one name or a list, of whatever connection."""
    files = {"contacts": CONTACTS, "others": CONTACTS.replace("crm", "other")}
    text = f"{LEADS}unless_linked: {names}\n"
    mapping = load(PROJECT, **files, leads=text).mappings[1]
    assert mapping.unless_linked == set(names.strip("[]").split(", "))
    assert mapping.hash != load(PROJECT, **files, leads=LEADS).mappings[1].hash


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("leads", "5:16: unless_linked names this sync itself; name others"),
        ("firms", "5:16: 'firms' sends companies, and this mapping people"),
        ("[contacts, firm]", "5:27: unknown sync 'firm' (did you mean 'firms'?)"),
    ],
)
def test_a_sync_that_excludes_nobody(load, names, problem):
    """At its own place in the list."""
    text = f"{LEADS}unless_linked: {names}\n"
    found = problems_of(load, contacts=CONTACTS, leads=text, firms=COMPANIES)
    assert found == [f"leads.yaml:{problem}"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("pull: {owner: a}", "pull: {owner: {from: b, conflict: newest}}"),
        ("pull: {owner: {from: a, conflict: only_if_empty}}", "pull: {owner: b}"),
        (
            "pull: {owner: {from: a, conflict: newest}}",
            "pull: {owner: {from: b, conflict: newest}}",
        ),
        ("pull: {owner: {from: a, conflict: newest}}", "deals: {pull: {owner: b}}"),
        ("pull: {owner: a}", "pull: {other_owner: a}"),
    ],
)
def test_two_mappings_may_read_a_trait_where_one_gives_way(load, first, second):
    """At most one has the last word."""
    loaded = load(PROJECT, contacts=f"{CONTACTS}{first}\n", leads=f"{LEADS}{second}\n")
    assert len(loaded.mappings) == 2


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ("pull: {owner: a}", "pull: {owner: b}", "5:8"),
        ("pull: {owner: a}", "deals: {pull: {owner: b}}", "5:16"),
        ("deals: {pull: {owner: a}}", "deals: {pull: {owner: b}}", "5:16"),
        ("pull: {owner: a}", "pull: {owner: {from: b, conflict: theirs}}", "5:8"),
    ],
)
def test_two_mappings_that_both_have_the_last_word_are_refused(load, first, second, place):
    """Neither would ever settle."""
    found = problems_of(load, contacts=f"{CONTACTS}{first}\n", leads=f"{LEADS}{second}\n")
    assert found == [
        (
            f"leads.yaml:{place}: 'owner' is read in mappings/contacts.yaml:5 too: choose another "
            "name, or let all but one say `conflict: newest` or `only_if_empty`"
        )
    ]


def test_a_field_that_goes_both_ways_has_the_last_word_too(load):
    """Two CRMs with `theirs` would overwrite each other for ever."""
    ours = CONTACTS.replace("{email: email}", "{p: {from: phone, conflict: theirs}}")
    (found,) = problems_of(load, contacts=ours, leads=f"{LEADS}pull: {{phone: phone}}\n")
    assert found.startswith("leads.yaml:5:8: 'phone' is read in mappings/contacts.yaml:4 too")


def test_people_and_companies_have_traits_of_their_own(load):
    """The same name is not the same trait."""
    files = {
        "contacts": f"{CONTACTS}pull: {{tier: a}}\n",
        "firms": f"{COMPANIES}pull: {{tier: a}}\n",
    }
    assert len(load(PROJECT, **files).mappings) == 2
