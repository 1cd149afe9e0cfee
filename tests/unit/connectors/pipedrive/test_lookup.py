"""Look-ups against the simulated Pipedrive: what they find, and what they cost."""

from __future__ import annotations

from datetime import datetime

import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection, Key
from crmsync.connectors.pipedrive import lookup
from crmsync.connectors.pipedrive.connector import Pipedrive
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConfigError
from crmsync.model import Action, Batch, FieldSchema, FieldType, LinkId, Operation, Timing
from tests.sandboxes import running

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 (of a simulated account)
KEY = "crmsync_id"
LIST, ONE = "/api/v2/persons", "/api/v2/persons/*"
SEARCH = "/api/v2/persons/search"


@pytest.fixture(scope="module")
def control():
    """One simulated company for all tests, emptied before each; search is a minute behind."""
    with running("pipedrive", limits=False, search_lag_seconds=60) as sandbox:
        yield sandbox.control


@pytest.fixture
def crm(control):
    """A connector to a company that has our field."""
    control.reset()
    made = new_crm(control)
    made.create_field("persons", FieldSchema(KEY, KEY, FieldType.TEXT))
    made.describe("persons")
    control.clear_ledger()
    return made


def new_crm(control, *, settle_seconds=300.0):
    """A connector that knows nothing yet, as in a new process."""
    timing = Timing(settle_seconds=settle_seconds)
    connection = Connection("p", "pipedrive", {"token": TOKEN}, base_url=control.url, timing=timing)
    return Pipedrive(connection, MemoryThrottle(()), FixedToken(TOKEN))


def seed(control, count, first=0, **more):
    """Make people past the API: p0@x.io has the key k0, and so on. Return their ids."""
    [field] = [f for f in control.act("fields", object_type="persons") if f["field_name"] == KEY]
    people = [
        {
            "name": f"P {n}",
            "emails": [{"value": f"p{n}@x.io"}],
            "custom_fields": {field["field_code"]: f"k{n}"},
            **more,
        }
        for n in range(first, first + count)
    ]
    return control.seed("persons", people)


def by_key(crm, *numbers):
    """Look people up by our key; return their ids."""
    keys = [Key(f"k{n}", KEY) for n in numbers]
    found = crm.read("persons", keys, ["name", "email", KEY])
    return [record and record.crm_id for record in found]


def by_email(crm, *addresses):
    """Look people up by an address; return their ids."""
    found = crm.read("persons", [Key(one, "email") for one in addresses], [KEY])
    return [record and record.crm_id for record in found]


def spent(control):
    """Lists, single reads and searches since this was last asked."""
    calls = [control.calls(path=path) for path in (LIST, ONE, SEARCH)]
    control.clear_ledger()
    return calls[0], calls[1] - calls[2], calls[2]


def test_a_thousand_keys_are_two_pages(control, crm):
    """1,000 people looked up for the first time among 1,000: two lists and nothing else."""
    ids = seed(control, 1_000)
    assert by_key(crm, *range(1_000)) == ids
    assert spent(control) == (2, 0, 0)


def test_a_thousand_strangers_are_two_pages(control, crm):
    """To know that nobody is there takes no more."""
    seed(control, 1_000)
    assert by_key(crm, *range(1_000, 2_000)) == [None] * 1_000
    assert spent(control) == (2, 0, 0)


def test_the_second_key_costs_no_second_list(control, crm):
    """Addresses are kept from the same pages; what they find is read fresh."""
    ids = seed(control, 1_000)
    by_key(crm, *range(2_000, 2_100))
    assert spent(control) == (2, 0, 0)
    assert by_email(crm, *(f"p{n}@x.io" for n in range(100))) == ids[:100]
    assert spent(control) == (1, 0, 0)


@pytest.mark.usefixtures("crm")
def test_a_later_look_up_lists_only_what_changed(control):
    """What others made or changed since is found, in one list more."""
    crm = new_crm(control, settle_seconds=0.1)
    seed(control, 1_000)
    control.advance(3_600)
    by_key(crm, *range(100))
    spent(control)
    [new] = seed(control, 1, first=5_000)
    assert by_key(crm, 5_000, 6_000) == [new, None]
    assert spent(control) == (1, 0, 0)


@pytest.mark.usefixtures("crm")
def test_the_list_of_changes_overlaps_the_one_before(control):
    """By the settle time and a minute, in whole seconds: what was late to be listed is seen."""
    crm = new_crm(control, settle_seconds=100.0)
    seed(control, 1)
    by_key(crm, 0)
    crm.write(Batch("persons", Action.CREATE, [Operation(LinkId(1), Action.CREATE, {"name": "X"})]))
    control.advance(1_000)
    began = control.now()
    by_key(crm, 0)
    [query] = [e["query"] for e in control.ledger(path=LIST, since=0)][-1:]
    since = datetime.fromisoformat(query["updated_since"][0]).timestamp()
    assert since <= began - 1_000 - 160 + 5
    assert since == int(since)


def test_what_we_wrote_a_moment_ago_is_found(control, crm):
    """A create makes the next look-up list what changed, however soon it follows."""
    assert by_key(crm, 1) == [None]
    fields = {"name": "Ann", KEY: "k1", "email": "ann@x.io"}
    operation = Operation(LinkId(1), Action.CREATE, fields)
    [made] = crm.write(Batch("persons", Action.CREATE, [operation]))
    assert by_key(crm, 1) == [made.crm_id]
    assert by_email(crm, "Ann@X.io") == [made.crm_id]


def test_one_key_in_a_large_company_is_searched_for(control, crm):
    """More than two pages for one key cost more than to search: it is not listed to the end."""
    ids = seed(control, 1_501)
    control.advance(3_600)
    assert by_key(crm, 1_500) == [ids[1_500]]
    lists, ones, searches = spent(control)
    # Two pages, what is recent; what search found is read.
    assert (lists, ones, searches) == (3, 1, 1)


def test_a_list_goes_on_where_it_stopped_until_it_has_paid_off(control, crm):
    """Each look-up adds what searching would have cost; then nobody searches any more."""
    ids = seed(control, 2_400)
    control.advance(3_600)
    for n in range(3):
        assert by_key(crm, n) == [ids[n]]
    spent(control)
    assert by_key(crm, 7) == [ids[7]]
    assert spent(control)[2] == 0


def test_search_is_asked_only_for_what_is_not_recent(control, crm):
    """Search is a minute behind: what changed lately is listed."""
    old = seed(control, 1_501)
    control.advance(3_600)
    new = seed(control, 1, first=9_000)
    assert by_key(crm, 9_000) == new
    assert spent(control)[2] == 0
    assert by_email(crm, "p1400@x.io") == [old[1_400]]


def test_of_several_the_lowest_id_is_taken(control, crm):
    """Whichever way they are found."""
    first = seed(control, 1)[0]
    seed(control, 1)
    assert by_key(crm, 0) == [first]
    assert by_email(new_crm(control), "p0@x.io") == [first]


def test_a_deleted_record_does_not_count(control, crm):
    """The next one that has the value does."""
    first, second = seed(control, 1)[0], seed(control, 1)[0]
    assert by_key(crm, 0) == [first]
    control.act("delete", object_type="persons", id=first)
    assert by_key(crm, 0) == [second]


@pytest.mark.usefixtures("crm")
def test_a_value_that_moved_away_is_not_found_where_it_was(control):
    """What the index says is confirmed by a fresh read."""
    crm = new_crm(control, settle_seconds=0.0)
    [one] = seed(control, 1)
    assert by_email(crm, "p0@x.io") == [one]
    control.edit("persons", one, emails=[{"value": "else@x.io"}])
    assert by_email(crm, "p0@x.io", "else@x.io") == [None, one]


def test_any_address_of_a_person_finds_them(control, crm):
    """Primary or not, in any case."""
    emails = [{"value": "A@x.io", "primary": True}, {"value": "B@X.io"}]
    [one] = seed(control, 1, emails=emails)
    assert by_email(crm, "b@x.io", "a@X.io") == [one, one]


def test_an_index_that_grows_too_large_is_given_up(control, crm, monkeypatch):
    """Memory has a bound; past it there is search, and the answers are the same."""
    monkeypatch.setattr(lookup, "MAX_ENTRIES", 600)
    ids = seed(control, 1_000)
    control.advance(3_600)
    small = new_crm(control)
    assert by_key(small, 1, 999) == [ids[1], ids[999]]
    spent(control)
    assert by_key(small, 2) == [ids[2]]
    assert spent(control) == (1, 1, 1)


def test_archived_deals_are_found(control, crm):
    """A deal that was archived is one all the same."""
    crm.create_field("deals", FieldSchema(KEY, KEY, FieldType.TEXT))
    fields = {"title": "D", KEY: "d1", "is_archived": True}
    [made] = crm.write(Batch("deals", Action.CREATE, [Operation(LinkId(1), Action.CREATE, fields)]))
    assert crm.read("deals", [Key("d1", KEY)], ["title"])[0].crm_id == made.crm_id
    assert new_crm(control).read("deals", [Key("d1", KEY)], ["title"])[0].crm_id == made.crm_id


def test_a_field_that_cannot_be_searched_is_said_so(crm):
    """Matching by an owner would find anybody."""
    with pytest.raises(ConfigError, match="finds no persons by 'Owner'"):
        crm.read("persons", [Key("1", "owner_id")], ["name"])
