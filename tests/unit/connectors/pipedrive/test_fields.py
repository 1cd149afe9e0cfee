"""Fields by standard name, hash and label, against what Pipedrive tells of them."""

from __future__ import annotations

import pytest

from crmsync.connectors.pipedrive.fields import Fields
from crmsync.connectors.pipedrive.objects import OBJECT_TYPES
from crmsync.errors import ConfigError
from crmsync.model import FieldType

ONE, TWO, THREE = "a" * 40, "b" * 40, "c" * 40


def told(code, name, kind="varchar", **more):
    """A field as Pipedrive tells of it."""
    return {"field_code": code, "field_name": name, "field_type": kind, "is_custom_field": True,
            "options": None, **more}  # fmt: skip


def test_a_custom_field_goes_by_label_and_by_hash():
    """A mapping may use either; both are described alike."""
    options = [{"id": 21, "label": "Gold"}]
    schema = Fields(OBJECT_TYPES["persons"], [told(ONE, "Tier", "enum", options=options)]).schema()
    by_label, by_hash = schema.fields["Tier"], schema.fields[ONE]
    assert (by_label.name, by_hash.name) == ("Tier", ONE)
    assert by_label.type is by_hash.type is FieldType.PICKLIST
    assert by_label.options == by_hash.options == (("Gold", "Gold"), ("21", "Gold"))


def test_a_label_of_two_fields_names_neither():
    """The message has the hashes to choose from; each field still goes by its own."""
    fields = Fields(OBJECT_TYPES["persons"], [told(ONE, "Tier"), told(TWO, "Tier")])
    assert "Tier" not in fields.schema().fields
    assert fields.get(TWO).name == TWO
    with pytest.raises(ConfigError) as caught:
        fields.find("Tier")
    assert ONE in caught.value.user_message
    assert TWO in caught.value.user_message
    assert "hash" in caught.value.user_message


def test_a_label_that_is_a_standard_name_means_the_standard_field():
    """Somebody's custom field called `email` does not get the address; its hash still names it."""
    fields = Fields(OBJECT_TYPES["persons"], [told(ONE, "email")])
    assert not fields.get("email").custom
    assert fields.get(ONE).custom


def test_what_nobody_has_is_named():
    """A name that is no field's."""
    fields = Fields(OBJECT_TYPES["deals"], [])
    assert fields.find("Tier") is None
    with pytest.raises(ConfigError, match="deals have no field 'Tier'"):
        fields.get("Tier")


@pytest.mark.parametrize(
    ("name", "required"), [("persons", "name"), ("organizations", "name"), ("deals", "title")]
)
def test_what_a_new_record_needs(name, required):
    """One field each; nothing is unique."""
    schema = Fields(OBJECT_TYPES[name], []).schema()
    assert [field.name for field in schema.fields.values() if field.required] == [required]
    assert not any(field.unique for field in schema.fields.values())


def test_a_type_that_is_new_is_read_only():
    """A field whose type is not known is not written in a form that is a guess."""
    field = Fields(OBJECT_TYPES["persons"], [told(ONE, "X", "hologram")]).schema().fields["X"]
    assert not field.writable
