"""What `explain` shows of a mapping's line, of a refusal, and of what a CRM's people did."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmsync.cli import explaining
from crmsync.cli.screen import Screen
from crmsync.mapping.problems import Place
from crmsync.model import ProfileId, TraitSource
from crmsync.store.runs import LogEntry
from crmsync.sync.explain import FieldStory
from crmsync.sync.witness import FactStory

AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def shown(capsys, line="lastname: last_name", **keys):
    """Tell the story of one field; return what is said."""
    place = Place("mappings/people.yaml", 7, 3, line)
    known = {"held": "Lee", "wanted": "Lee", "unusable": None, "facts": [], **keys}
    explaining._tell_field(
        Screen(), FieldStory("lastname", place=place, origin="last_name", **known)
    )
    return capsys.readouterr().out


def refused(field):
    """Return the entry of an update that was refused for the sake of a field, or as a whole."""
    return LogEntry(
        run=3,
        sync="people",
        connection="crm",
        object="contacts",
        profile_id=ProfileId("p"),
        crm_id="1",
        action="update",
        outcome="rejected",
        fields={"lastname": [None, "Lee"], "plan": [None, "x"]},
        error={"class": "rejected", "code": "NO", "field": field, "message": "no", "hint": "mend"},
        excerpt="",
        attempt=1,
        at=AT,
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  lastname: last_name      # theirs # too", "lastname: last_name"),
        ("  greeting: {template: 'No. # {n}'}", "greeting: {template: 'No. # {n}'}"),
        ("  a#b: c", "a#b: c"),
    ],
)
def test_a_line_is_told_without_its_comment(capsys, line, told):
    """A `#` in quotes, or within a word, is no comment."""
    assert f"mappings/people.yaml:7  {told}\n" in shown(capsys, line)


def test_a_refusal_is_told_under_the_field_at_fault_alone(capsys):
    """The others say in a line what they wait for."""
    assert "mend" in shown(capsys, failed=refused("lastname"))
    waiting = shown(capsys, failed=refused("plan"))
    assert "mend" not in waiting
    assert "'plan' was refused in run 3" in waiting


def test_who_overwrote_a_value_is_told_with_both_moments(capsys):
    """When it was changed, and when that was read back."""
    source = TraitSource(AT, "connection:hubspot", "pull:hubspot:1")
    later = AT.replace(hour=8)
    fact = FactStory("last_name", "Lind", "sent", old="Lee", source=source, read_at=later)
    assert (
        'last_name "Lind", somebody in hubspot changed it 2026-11-23 07:00:00Z, '
        'read back 2026-11-23 08:00:00Z, before "Lee"'
    ) in shown(capsys, facts=[fact])
