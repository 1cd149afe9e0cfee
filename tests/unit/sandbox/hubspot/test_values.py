"""Tables of values: what HubSpot keeps of them, and with which code it refuses them."""

from __future__ import annotations

import pytest

from crmsync.sandbox.hubspot import values
from crmsync.sandbox.hubspot.wire import epoch, iso, semantic_path

KEPT = [
    (values.text, " as it is ", " as it is "),
    (values.email, " Ann@X.io", "ann@x.io"),
    (values.emails, "A@x.io;b@x.io;a@x.io", "a@x.io;b@x.io"),
    (values.number, "12", "12"),
    (values.number, "1.50", "1.5"),
    (values.number, "007", "7"),
    (values.number, "1e3", "1000"),
    (values.number, "-0.0", "0"),
    (values.number, "0", "0"),
    (values.number, "100", "100"),
    (values.boolean, "true", "true"),
    (values.day, "2026-02-28", "2026-02-28"),
    (values.day, "1767225600000", "2026-01-01"),
    (values.day, "2026-01-01T00:00:00Z", "2026-01-01"),
    (values.moment, "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
    (values.moment, "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05Z"),
    (values.moment, "2026-01-02T03:04:05-05:00", "2026-01-02T08:04:05Z"),
    (values.moment, "1767323045678", "2026-01-02T03:04:05.678Z"),
]

REFUSED = [
    (values.text, "x" * 65_537, "INVALID_LENGTH"),
    (values.email, "ann", "INVALID_EMAIL"),
    (values.email, "ann@x", "INVALID_EMAIL"),
    (values.email, "a b@x.io", "INVALID_EMAIL"),
    (values.number, "1,5", "INVALID_INTEGER"),
    (values.number, "NaN", "INVALID_INTEGER"),
    (values.number, "٣", "INVALID_INTEGER"),
    (values.boolean, "True", "INVALID_OPTION"),
    (values.day, "01/02/2026", "INVALID_LONG"),
    (values.day, "2026-02-30", "INVALID_DATE"),
    (values.day, "1767225600001", "INVALID_DATE"),
    (values.day, "2026-01-01T23:00:00Z", "INVALID_DATE"),
    (values.moment, "2026-01-02T03:04:05", "INVALID_LONG"),
    (values.moment, "yesterday", "INVALID_LONG"),
]


@pytest.mark.parametrize(("check", "given", "kept"), KEPT)
def test_a_good_value_is_kept_in_the_wires_own_form(check, given, kept):
    """What is read back is what HubSpot makes of a value."""
    assert check(given) == kept


@pytest.mark.parametrize(("check", "given", "code"), REFUSED)
def test_a_bad_value_is_refused_with_its_code(check, given, code):
    """Each kind of mistake has HubSpot's code."""
    with pytest.raises(values.Invalid) as refusal:
        check(given)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("path", "semantic"),
    [
        ("/crm/objects/2026-09/0-1/batch/upsert", "/crm/v3/objects/0-1/batch/upsert"),
        ("/crm/objects/2026-03/deals/5", "/crm/v3/objects/deals/5"),
        (
            "/crm/objects/2026-09/contacts/5/associations/companies",
            "/crm/v4/objects/contacts/5/associations/companies",
        ),
        (
            "/crm/associations/2026-09/contacts/companies/batch/read",
            "/crm/v4/associations/contacts/companies/batch/read",
        ),
        ("/crm/properties/2026-09/deals", "/crm/v3/properties/deals"),
        ("/crm/pipelines/2026-09/deals", "/crm/v3/pipelines/deals"),
        ("/oauth/2026-09/token/revoke", "/oauth/v3/token/revoke"),
        ("/crm/v3/objects/contacts", "/crm/v3/objects/contacts"),
    ],
)
def test_dated_paths_are_other_spellings(path, semantic):
    """Each date-based path means a v3 or v4 one."""
    assert semantic_path(path) == semantic


def test_times_are_written_and_read_alike():
    """A time without milliseconds has no fraction; both forms and epoch text are read."""
    assert iso(1_767_225_600_000) == "2026-01-01T00:00:00Z"
    assert iso(1_767_225_600_001) == "2026-01-01T00:00:00.001Z"
    assert epoch("2026-01-01T00:00:00Z") == epoch("1767225600000") == 1_767_225_600_000
    assert epoch("soon") is None
