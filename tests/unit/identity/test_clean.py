"""The sanitiser: lossless, or refused with the path."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmsync.identity.clean import MAX_DEPTH, Unusable, clean_id, clean_value, digest

LIMIT = 32 * 1024


def json_of(numbers):
    """Draw JSON whose numbers are these, with any character in its texts."""
    return st.recursive(
        st.none() | st.booleans() | numbers | st.text(st.characters()),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )


ANY = json_of(st.integers() | st.floats())
NO_HUGE_NUMBERS = json_of(st.sampled_from([0, -5, 2**62, 0.5, float("nan"), float("-inf")]))


def nest(levels):
    """Wrap a 1 in so many lists."""
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (float("nan"), "traits.x is NaN"),
        (float("inf"), "traits.x is NaN or infinite"),
        (2**63, "traits.x is a number beyond 2^63"),
        (1e30, "traits.x is a number beyond 2^63"),
        ({"a": [1, {"b": float("nan")}]}, "traits.x.a[1].b is NaN"),
        ("half \ud83d", "traits.x holds half a surrogate pair"),
        ({"a": "\udc00"}, "traits.x.a holds half a surrogate pair"),
        ({"\0": 1}, "traits.x has a name with a NUL"),
        (nest(MAX_DEPTH + 1), "levels deep"),
        ("x" * LIMIT, "traits.x is 32,770 bytes"),
        (object(), "traits.x is not JSON"),
    ],
)
def test_refuses_what_cannot_be_kept(value, path):
    """A value that no database or CRM would give back is refused by the name of its place."""
    with pytest.raises(Unusable) as refusal:
        clean_value(value, "traits.x", LIMIT, [])
    assert path in str(refusal.value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "مرحبا",
        "👩🏽‍🚀",
        "\u00e9",
        "e\u0301",
        2**53 + 1,
        -(2**63) + 1,
        0.1,
        True,
        None,
        nest(MAX_DEPTH),
    ],
)
def test_keeps_what_can_be_kept(value):
    """Text of every script, composed or not, and exact 64-bit integers pass unchanged."""
    assert clean_value(value, "traits.x", LIMIT, []) == value


def test_takes_nul_out_and_says_where():
    """NUL characters are removed, since PostgreSQL cannot store them, and their place is noted."""
    places = []
    assert clean_value({"a": ["b\0c"]}, "traits.x", LIMIT, places) == {"a": ["bc"]}
    assert places == ["traits.x.a[0]"]


@given(ANY)
def test_what_passes_survives_json_unchanged(value):
    """Whatever passes is the same after JSON and back, and free of NUL."""
    try:
        kept = clean_value(value, "x", LIMIT, [])
    except Unusable:
        return
    text = orjson.dumps(kept)
    assert b"\\u0000" not in text
    assert orjson.loads(text) == kept


@given(st.dictionaries(st.text(st.characters()), NO_HUGE_NUMBERS, max_size=4))
@example({"a": [[float("nan")]]})
@example({"a": {"b\0": 1}})
@example({"\udfff": 1})
def test_harmless_is_never_said_of_what_would_be_changed_or_refused(body):
    """The fast test may send too much to the slow one, never too little (huge numbers apart)."""
    if digest(body, LIMIT).harmless:
        places = []
        assert clean_value(body, "x", LIMIT, places) == body
        assert not places


def test_a_digest_is_of_the_content_not_of_the_order():
    """Two spellings of one body have one hash; other content has another."""
    one, two = digest({"a": 1, "b": 2}, LIMIT), digest({"b": 2, "a": 1}, LIMIT)
    assert one.sha256 == two.sha256 != digest({"a": 1}, LIMIT).sha256


@pytest.mark.parametrize("value", ["\ud800", 2**70, nest(300), nest(MAX_DEPTH + 1)])
def test_a_digest_copes_with_what_the_fast_encoder_refuses(value):
    """Surrogates, huge integers and deep nesting get a hash all the same, and a closer look."""
    found = digest({"a": value}, LIMIT)
    assert len(found.sha256) == 32
    assert not found.harmless


def test_an_endless_body_is_refused():
    """A body nested beyond any encoder is refused, not a crash."""
    with pytest.raises(Unusable, match="nested too deeply"):
        digest({"a": nest(100_000)}, LIMIT)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(" u1 ", "u1"), (7, "7"), ("", None), ("  ", None), (None, None), ("日本", "日本")],
)
def test_an_id_is_trimmed_text(sent, kept):
    """Ids are text or whole numbers; an empty one is none."""
    assert clean_id(sent, "userId") == kept


@pytest.mark.parametrize(
    "sent", [1.5, True, [], {}, "a\0b", "é\0", "\ud800", "x" * 201, "é" * 201, 2**64]
)
def test_an_id_is_never_altered(sent):
    """An id that would have to be changed to be stored is refused: it could join two people."""
    with pytest.raises(Unusable, match="userId"):
        clean_id(sent, "userId")
