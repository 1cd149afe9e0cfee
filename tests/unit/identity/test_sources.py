"""Sources of traits in the store."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from crmsync.identity.sources import pack_sources, unpack_sources
from crmsync.model import TraitSource

SOURCES = st.builds(
    TraitSource,
    at=st.datetimes(timezones=st.just(UTC)),
    origin=st.sampled_from(["source:web", "connection:crm"]),
    message_id=st.text(max_size=3),
)


@given(st.dictionaries(st.text(max_size=3), SOURCES))
def test_packing_loses_nothing(sources):
    """What is unpacked is what was packed, to the microsecond."""
    assert unpack_sources(pack_sources(sources)) == sources


def test_traits_of_one_call_share_one_entry():
    """The packed form does not repeat a source for each of its traits."""
    source = TraitSource(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "source:web", "m1")
    other = TraitSource(source.at, "source:web", "m2")
    packed = pack_sources({"a": source, "b": other, "c": source})
    assert packed == [
        [1_000_000, "source:web", "m1", ["a", "c"]],
        [1_000_000, "source:web", "m2", ["b"]],
    ]
