"""Files meant to do harm: each is refused at load, or does nothing and stays small.

Mapping files travel in templates and pull requests. Harm would be: code run, the environment or
another file read, memory or time without bound. Bounds are counted, never timed.
"""

from __future__ import annotations

import sys

import pytest

from crmsync.errors import ConfigError
from crmsync.mapping.render import render

HEAD = "connection: crm\nobject: contacts\nmatch: {crmsync_id: profile_id}\n"
FACTS = {
    "profile_id": "p1",
    "name": "x" * 1000,
    "email": "a@b.example",
    "plan": "pro",
    "visits": 2**64,
    "tags": ["a"] * 1000,
    "last_seen": "2026-01-01T00:00:00.000Z",
}
MAX_RECORD = 200_000
"""Characters that any of these may make of the facts above."""
MAX_PROBLEM = 2000
"""Characters of one problem, its line and caret included."""

CONDITIONS = [
    "__import__('os').system('true')",
    "().__class__.__bases__ = 1",
    "name.__class__ = 'str'",
    "name.__class__.__mro__ = 'x'",
    "exec('x') = 1",
    "open('/etc/passwd') = 'x'",
    "lambda: 1",
    "[x for x in (1,2)] = 1",
    "visits ** 99999 > 1",
    "visits * 9 > 1",
    "9 ** 9 ** 9 = 1",
    "'a' * 100000000 = name",
    "name = 'a' * 100000000",
    "name + name = 'x'",
    "1 = 1",
    "1 OR 1",
    "true",
    "name = name",
    "name LIKE '%'",
    "name ~ '(a+)+$'",
    "name MATCHES '(a+)+$'",
    "plan = 'x'; DROP TABLE profiles",
    "plan = 'x' -- comment",
    "plan = 'x' /* comment */",
    "plan = 'x' UNION SELECT 1",
    "plan = 'it''s'",
    "plan = '\\",
    'plan = "${CRM_TOKEN}"',
    "plan = {{ 7 * 7 }}",
    "plan = `id`",
    "plan = $(id)",
    "plan = $HOME",
    "plan[0] = 'p'",
    "plan.upper() = 'PRO'",
    "plan = None",
    "plan = null",
    "plan is not null",
    "plan := 'x'",
    "visits > 1e308",
    "visits > 0x10",
    "visits > 99999999999999999999999999",
    "visits > 1_000",
    "visits > Infinity",
    "visits > NaN",
    "visits > --1",
    "last_seen < 99999999999999999999 days",
    "last_seen < now()",
    "segment = 'recent'",
    "segment = segment",
    "segment > 'paying'",
    "(" * 1000,
    ")" * 1000,
    "(" * 1000 + "visits = 1" + ")" * 1000,
    "NOT " * 500 + "visits = 1",
    " AND ".join(["visits = 1"] * 150),
    " OR ".join(["visits=1"] * 250),
    "visits = 1 AND " * 300,
    "a" * 3000 + " = 1",
    "name = '" + "x" * 3000 + "'",
    "\u202eplan = 'x'",
    "plan\u200b = 'x'",
    "plan = \u2018x\u2019",
    "p\u0142an = 'x' \U0001f4a5",
    "\ud7ff = 1",
    "plan =\u00a0'pro'",
    "plan\n=\n'pro'",
    "PLAN = 'pro'",
]
FIELDS = [
    "{from: name, transform: [eval]}",
    "{from: name, transform: [__class__]}",
    "{from: name, transform: ['trim()']}",
    "{from: name, transform: ['os.system']}",
    "{from: name, transform: [{truncate: 999999999999}]}",
    "{from: name, transform: [{truncate: true}]}",
    "{from: name, transform: [{truncate: '9'}]}",
    "{from: visits, transform: [{round: 99999}]}",
    "{from: visits, transform: [{round: -5}]}",
    "{from: tags, transform: [{join: '" + "x" * 1000 + "'}]}",
    "{from: name, transform: [{split: ''}]}",
    "{from: name, transform: [" + "trim, " * 30 + "]}",
    "{from: name, transform: [upper, {split: x}, {join: '" + "y" * 20 + "'}, title]}",
    "{from: tags, transform: [{join: '" + "z" * 20 + "'}]}",
    "{from: visits, transform: [datetime]}",
    "{from: name, transform: [number]}",
    "{template: '{name.__class__.__mro__}'}",
    "{template: '{name!r}'}",
    "{template: '{visits:>999999999}'}",
    "{template: '{0}{1}'}",
    "{template: '{{7*7}}{name}'}",
    "{template: '{% for x in y %}{name}'}",
    "{template: '${CRM_TOKEN}{name}'}",
    "{template: '" + "{name}" * 300 + "'}",
    "{template: '" + "{" * 2000 + "'}",
    "{template: '" + "{name}" * 1000 + "'}",
    "{template: '%s%n{name}'}",
    "{value: !!python/name:os.system ''}",
    "{value: !!python/object/apply:os.system ['true']}",
    "{value: !!python/object/new:subprocess.Popen [['true']]}",
    "{value: !!binary aGVsbG8=}",
    "{value: !!set {a, b}}",
    "{value: !include /etc/passwd}",
    "{value: !ENV CRM_TOKEN}",
    "{value: [a, b]}",
    "{value: {a: b}}",
    "{value: .inf}",
    "{value: .nan}",
    "{value: 1e999}",
    "{value: " + "9" * 5000 + "}",
    "{value: ${CRM_TOKEN}x}",
    "{value: '${PATH:-x}'}",
    "{value: '${CRM_TOKEN}${CRM_TOKEN}'}",
    "{from: '${CRM_TOKEN}', default: '${OTHER}'}",
    "{from: name, map: {a: [b]}}",
    "{from: name, map: &x {a: b}}",
    "{from: name, default: {a: b}}",
    "{from: ../../etc/passwd}",
    "{from: __class__}",
    "{from: name, when: 1 = 1}",
    "{<<: {from: name}}",
    "{? [a]: b}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]",
    "*name",
    "&name name",
    "!!str name",
    "|\n  name\n",
]
PULLS = [
    "pull: [a, b]",
    "pull: {a: {from: [b]}}",
    "pull: {a: {from: '${CRM_TOKEN}'}}",
    "pull: {'${CRM_TOKEN}': a}",
    "pull: {__class__: __class__}",
    "pull: {a: " + "x" * 3000 + "}",
    "pull: {a: {from: b, map: {c: [d]}}}",
    "pull: {a: {from: b, map: {" + "x" * 199 + ": '" + "y" * 3000 + "'}}}",
    "pull: {a: &a b, c: *a}",
    "pull: {pull: {from: from, map: {map: map}}}",
    "pull: {" + ", ".join(f"t{i}: f" for i in range(1500)) + "}",
    "pull:",
    "deals: []",
    "deals: {pull: {pull: {pull: pull}}}",
    "deals: {deals: {pull: {a: b}}}",
    "deals: {pick: [latest], pull: {a: b}}",
    "deals: {pull: !!python/name:os.system ''}",
    "associate: {a: {b: c}}",
    "associate: {" + "x" * 200 + ": " + "y" * 200 + "}",
    "associate: {'../../etc/passwd': '../contacts'}",
    "unless_linked: {a: b}",
    "unless_linked: [" + "[" * 60,
    "unless_linked: ['', ../contacts, '${CRM_TOKEN}']",
    "unless_linked: [" + "x, " * 50 + "]",
]
TURNED = "{from: plan, conflict: newest, map: {a: '" + "y" * 3000 + "', b: '" + "y" * 3000 + "'}}"
FILES = [
    b"\x00",
    b"\xff\xfe\x00\x00",
    "connection: crm\n".encode("utf-16"),
    b"%YAML 9.9\n---\na: b\n",
    b"%TAG ! tag:evil,2026:\n---\nconnection: !x crm\n",
    b"a: &a [1]\nb: [*a, *a]\n",
    b"a: &a {b: *a}\n",
    b"&a [*a]\n",
    b"[" * 1_000_000,
    b"{a: " * 250_000,
    b"- " * 500_000,
    b"? " * 500_000,
    b"a:\n" + b" b:\n" * 100_000,
    b"!" * 100_000,
    b"&" * 100_000,
    b'"' + b"\\u0041" * 100_000,
    b"a: '" + b"x" * 1_100_000 + b"'",
    b"\n" * 1_048_576,
    b"#" * 1_048_576,
    b"k" * 1_048_570 + b": v",
    b"mode: " + b"m" * 1_048_000,
    b"fields: {f: {transform: [" + b"t" * 1_000_000 + b"]}}",
]


def outcome(load, text: str | bytes) -> str:
    """Load and render; say whether it was refused or how much it made."""
    try:
        mapping = load(contacts=text).mappings[0]
    except ConfigError as error:
        refused = error
    else:
        return rendered(mapping)
    assert refused.problems
    assert all(len(str(problem)) < MAX_PROBLEM for problem in refused.problems)
    assert "canary-token" not in str(refused)
    return "refused"


def rendered(mapping) -> str:
    """Render the facts above; what comes out is small."""
    desired = render(mapping, FACTS)
    assert len(repr(desired)) < MAX_RECORD
    return "harmless"


@pytest.mark.parametrize("condition", CONDITIONS, ids=range(len(CONDITIONS)))
def test_a_hostile_condition(load, condition):
    """As `only:`, in a quoted text, so that it reaches the condition language itself."""
    quoted = condition.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    outcome(load, f'{HEAD}only: "{quoted}"\nfields: {{email: email}}\n')


@pytest.mark.parametrize("field", FIELDS, ids=range(len(FIELDS)))
def test_a_hostile_field(load, field):
    """As the value of a field."""
    outcome(load, f"{HEAD}fields:\n  f: {field}\n")


@pytest.mark.parametrize("lines", PULLS, ids=range(len(PULLS)))
def test_a_hostile_wish_to_read_back(load, lines):
    """Beside a harmless field."""
    outcome(load, f"{HEAD}fields: {{email: email}}\n{lines}\n")


def test_a_field_turned_round_repeats_little_of_a_long_map(load):
    """What stands in the file may be long; what is said of it is not."""
    assert outcome(load, f"{HEAD}fields:\n  f: {TURNED}\n") == "refused"


@pytest.mark.parametrize("content", FILES, ids=range(len(FILES)))
def test_a_hostile_file(load, content):
    """None of these is a mapping."""
    assert outcome(load, content) == "refused"


def test_the_corpus_is_large_enough():
    """At least a hundred hostile conditions and transforms (docs/security.md)."""
    assert len(set(CONDITIONS)) + len(set(FIELDS)) >= 100


def test_no_hostile_field_costs_more_than_a_bounded_number_of_calls(load):
    """Loading and rendering any of them stays below a count of Python calls, not of seconds."""
    for field in FIELDS:
        calls = 0

        def count(_frame, event, _argument):
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            outcome(load, f"{HEAD}fields:\n  f: {field}\n")
        finally:
            sys.setprofile(None)
        assert calls < 60_000, field
