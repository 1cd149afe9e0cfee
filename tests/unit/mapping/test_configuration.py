"""Files on disk, as people write them: what loads, what is refused, and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crmsync.errors import ConfigError
from crmsync.mapping import starter
from crmsync.mapping.configuration import load_configuration
from crmsync.mapping.connections import WebhookSettings

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "mappings"
HEAD = "connection: crm\nobject: contacts\nmatch: {crmsync_id: profile_id}\n"
EXPECT = "# expect: "


def fixtures(kind: str):
    """Name the files under valid/ or invalid/ as cases."""
    return [pytest.param(path, id=path.stem) for path in sorted((FIXTURES / kind).glob("*.yaml"))]


def load_fixture(load, path: Path):
    """Load a fixture as crmsync.yaml or as a mapping, by its name."""
    if path.stem.startswith("project-"):
        return load(project=path.read_text())
    return load(contacts=path.read_text())


def problems_of(load, **files) -> list[str]:
    """Load files that must be refused; give the first line of each problem."""
    with pytest.raises(ConfigError) as refused:
        load(**files)
    return [str(problem).partition("\n")[0] for problem in refused.value.problems]


@pytest.mark.parametrize("path", fixtures("invalid"))
def test_an_invalid_file_is_refused_with_exactly_the_problems_it_names(load, path):
    """Each file under invalid/ names its problems, with line and column, in its first lines."""
    text = path.read_text().splitlines()
    expected = [line.removeprefix(EXPECT) for line in text if line.startswith(EXPECT)]
    with pytest.raises(ConfigError) as refused:
        load_fixture(load, path)
    found = [f"{p.line}:{p.column}: {p.message}" for p in refused.value.problems]
    assert expected
    assert found == expected


@pytest.mark.parametrize("path", fixtures("invalid"))
def test_no_problem_repeats_a_secret(load, path):
    """What is given as a credential never appears in an error, nor in the line shown below it."""
    with pytest.raises(ConfigError) as refused:
        load_fixture(load, path)
    assert "canary-token" not in str(refused.value)


def test_a_broken_crmsync_yaml_is_not_blamed_on_the_mappings(load):
    """What it declares is unknown then: only mistakes that stand in the mapping itself show."""
    found = problems_of(
        load,
        project="connections: [\n",
        contacts=f"{HEAD}triger: daily\nonly: segment = 'x'\nfields: {{a: emial}}\n",
    )
    assert [problem.split(": ")[0] for problem in found] == [
        "crmsync.yaml:2:1",
        "mappings/contacts.yaml:4:1",
    ]


def test_a_broken_segment_is_reported_where_it_stands(load):
    """Not a second time in the mapping that names it."""
    project = "connections: {crm: {connector: memory}}\nsegments: {vip: 'revenue >'}\n"
    text = f"{HEAD}only: segment = 'vip'\nfields: {{email: email}}\n"
    (found,) = problems_of(load, project=project, contacts=text)
    assert found.startswith("crmsync.yaml:2:")


def test_a_mapping_without_any_connection_to_name_is_refused(load):
    """Both files say so."""
    found = problems_of(
        load, project="connections: {}\n", contacts=f"{HEAD}fields: {{email: email}}\n"
    )
    assert found == [
        "crmsync.yaml:1:14: connections: must not be empty",
        "mappings/contacts.yaml:1:13: unknown connection 'crm'; crmsync.yaml has none",
    ]


@pytest.mark.parametrize("path", fixtures("valid"))
def test_a_valid_file_loads_without_a_warning(load, path):
    """Each file under valid/ loads as it is."""
    configuration = load_fixture(load, path)
    assert [m.sync for m in configuration.mappings] == ["contacts"]
    assert configuration.warnings == ()


def test_a_problem_shows_the_line_and_a_caret_below_the_place(load):
    """The first example of the manual, to the letter."""
    with pytest.raises(ConfigError) as refused:
        load(contacts=f"{HEAD}fields:\n  email: emial\n")
    assert str(refused.value) == (
        "mappings/contacts.yaml:5:10: unknown trait 'emial' (did you mean 'email'?)\n"
        "      email: emial\n"
        "             ^"
    )


def test_problems_of_all_files_come_at_once_in_file_order(load):
    """crmsync.yaml first, then the mappings by name; one file's mistake hides no other's."""
    found = problems_of(
        load,
        project="connections:\n  crm: {connector: hubspt}\n",
        b="connection: crm\n",
        a=f"{HEAD}fields: [\n",
        c="connection: cmr\nobject: x\nmatch: {a: emial}\nfields: {a: email}\n",
    )
    assert [problem.split(": ")[0] for problem in found] == [
        "crmsync.yaml:2:20",
        "mappings/a.yaml:5:1",
        "mappings/b.yaml:1:1",
        "mappings/c.yaml:1:13",
        "mappings/c.yaml:3:12",
    ]


def test_two_mappings_for_one_object_are_refused_naming_both(load):
    """One file per connection and object."""
    text = f"{HEAD}fields: {{email: email}}\n"
    assert problems_of(load, first=text, second=text) == [
        (
            "mappings/second.yaml:2:1: mappings/first.yaml already maps crm contacts; "
            "one file for each object"
        )
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"connection: caf\xe9\n", "the file is not UTF-8 text; save it as UTF-8"),
        (b"a: 1\n" * 300_000, "the file is larger than 1 MiB"),
        (b'a: "\x01"\n', "not valid YAML: the file holds a control character"),
        (b'a: "x\\0y"\n', "a text holds the character NUL"),
        (b"", "the file is empty"),
        (b"# nothing but a comment\n", "the file is empty"),
    ],
)
def test_a_file_that_is_no_yaml_text_is_refused(load, content, complaint):
    """Whatever bytes a file holds, there is one clear line about it."""
    (found,) = problems_of(load, contacts=content)
    assert found.endswith(complaint)


def test_a_byte_order_mark_is_no_mistake(load):
    """Some editors put one at the beginning of a file."""
    text = "\ufeff" + HEAD + "fields: {email: email}\n"
    assert load(contacts=text).mappings[0].connection == "crm"


def test_a_missing_project_file_says_how_to_make_one(tmp_path):
    """The first thing a new user may meet."""
    with pytest.raises(ConfigError, match="`crmsync init` writes one"):
        load_configuration(tmp_path / "crmsync.yaml", {}, known_facts={}, connectors=())


def test_a_file_that_cannot_be_read_is_reported(load, folder):
    """A folder by the name of a mapping is a mistake, not a crash."""
    (folder / "mappings" / "x.yaml").mkdir()
    assert problems_of(load) == ["mappings/x.yaml:1:1: cannot be read: Is a directory"]


def test_the_environment_fills_whole_values_and_urls(load):
    """Both forms, several references in one URL included; the value is never read as YAML."""
    project = (
        "connections:\n  crm:\n    connector: hubspot\n    auth: {token: '${CRM_TOKEN}'}\n"
        "    base_url: 'http://${CRM_HOST}/${CRM_TOKEN}/'\n"
    )
    connection = load(project).connections["crm"]
    assert connection.auth == {"token": "canary-token-1"}
    assert connection.base_url == "http://127.0.0.1:9999/canary-token-1"


def test_settings_never_show_credentials(load):
    """A configuration may be printed."""
    assert "canary-token" not in repr(load())


def test_a_secret_written_into_the_file_gets_a_warning_that_hides_it(load):
    """The warning names the place; neither it nor the line it shows repeats the secret."""
    project = "connections:\n  crm: {connector: hubspot, auth: {token: canary-token-5}}\n"
    contacts = f"{HEAD}fields: {{email: email}}\n"
    (warning,) = load(project, contacts=contacts).warnings
    assert "a secret stands in the file" in warning.message
    assert "canary" not in str(warning)


@pytest.mark.parametrize(
    ("addresses", "warnings"),
    [
        ("base_url: 'http://127.0.0.1:9100'", 0),
        ("base_url: 'http://localhost:9100', auth_url: 'http://[::1]:9100'", 0),
        ("base_url: 'http://127.0.0.1:9100', auth_url: 'https://auth.example.com'", 1),
        ("auth_url: 'http://127.0.0.1:9100'", 1),
        ("base_url: 'https://api.example.com'", 1),
    ],
)
def test_what_a_simulated_crm_lets_in_is_no_secret(load, addresses, warnings):
    """Where nothing leaves this machine."""
    project = f"connections:\n  crm: {{connector: hubspot, auth: {{token: x}}, {addresses}}}\n"
    contacts = f"{HEAD}fields: {{email: email}}\n"
    assert len(load(project, contacts=contacts).warnings) == warnings


def test_a_name_like_no_known_one_is_only_a_warning(load):
    """It may be a trait that no event has brought yet."""
    (warning,) = load(contacts=f"{HEAD}fields: {{seats: seat_count}}\n").warnings
    assert "'seat_count' is neither declared under `traits:` nor seen yet" in warning.message


@pytest.mark.parametrize("how", ["declared", "seen", "custom"])
def test_a_name_is_known_when_declared_seen_or_custom(load, how):
    """Even where it looks like a slip for another: that is what declaring is for."""
    name = "custom_plan" if how == "custom" else "plan2"
    project = "connections:\n  crm: {connector: memory}\n"
    project += "traits: {plan2: string}\n" if how == "declared" else ""
    seen = ("plan2",) if how == "seen" else ()
    contacts = f"{HEAD}fields: {{tier: {name}}}\n"
    assert load(project, seen=seen, contacts=contacts).warnings == ()


def test_a_declared_type_is_checked_in_conditions(load):
    """`traits:` makes a misfit visible before any event."""
    project = "connections:\n  crm: {connector: memory}\ntraits: {seats: number}\n"
    text = f'{HEAD}only: seats > "3"\nfields: {{email: email}}\n'
    (found,) = problems_of(load, project=project, contacts=text)
    assert "seats is of type number; compare it with a number" in found


def test_companies_have_facts_of_their_own(load):
    """A mapping of companies that reads a fact of people would send nothing, for ever."""
    text = f"{HEAD}source: companies\nfields: {{tier: plann, visits: visits}}\n"
    (found,) = problems_of(load, contacts=text)
    assert "unknown trait 'plann' (did you mean 'plan'?)" in found
    text = text.replace("plann", "plan")
    (warning,) = load(contacts=text).warnings
    assert "'visits'" in warning.message


def test_matching_by_email_alone_gets_a_warning(load):
    """`check` says what is lost."""
    text = "connection: crm\nobject: contacts\nmatch: {email: email}\nfields: {email: email}\n"
    (warning,) = load(contacts=text).warnings
    assert warning.message.startswith("matched by e-mail alone")


def test_a_mapping_with_another_ending_is_not_passed_over_in_silence(load, folder):
    """`.yml` would otherwise never be sent and nobody would know."""
    (folder / "mappings" / "contacts.yml").write_text("connection: crm\n")
    messages = [warning.message for warning in load().warnings]
    assert "not read: a mapping's name ends in .yaml" in messages


def test_timing_of_a_connection_overlays_that_of_the_file(load):
    """What neither says is the default."""
    project = (
        "connections:\n  crm: {connector: memory, timing: {lease_seconds: 60}}\n"
        "timing: {settle_seconds: 150, linger_seconds: 0}\n"
    )
    configuration = load(project)
    timing = configuration.connections["crm"].timing
    assert (timing.lease_seconds, timing.settle_seconds, timing.linger_seconds) == (60, 150, 0)
    assert configuration.timing.lease_seconds == 120


def test_a_slow_crm_has_a_timing_of_its_own(load):
    """What the file says of all holds for it too; what it does not say is what suits that CRM."""
    configuration = load(
        "connections:\n  crm: {connector: memory}\n  slow: {connector: salesforce}\n"
        "  own: {connector: salesforce, timing: {request_deadline_seconds: 50}}\n"
        "timing: {lease_seconds: 150}\n"
    )
    found = {name: known.timing for name, known in configuration.connections.items()}
    times = {
        name: (t.request_deadline_seconds, t.lease_seconds, t.settle_seconds)
        for name, t in found.items()
    }
    assert times == {"crm": (30, 150, 300), "slow": (100, 150, 660), "own": (50, 150, 660)}


def test_a_timing_that_does_not_fit_a_slow_crm_is_refused(load):
    """The file's own keys may fit every CRM but one, which is named."""
    project = "connections:\n  slow: {connector: salesforce}\ntiming: {lease_seconds: 90}\n"
    with pytest.raises(ConfigError) as caught:
        load(project)
    [problem] = caught.value.problems
    assert problem.line == 3
    assert problem.message.startswith("for 'slow', request_deadline_seconds (100) < lease_seconds")


WEBHOOKS = """\
connections:
  crm:
    connector: {connector}
    webhooks: {{url: {url}, secret: {secret}}}
timing: {{pull_seconds: 60}}
"""
HOOK = "https://hooks.example.com/in/hooks/crm"
GIVEN = {"connector": "zoho", "url": HOOK, "secret": '"${CRM_TOKEN}"'}


def test_webhooks_and_how_often_changes_are_read(load):
    """The secret comes from the environment, and never shows."""
    text = WEBHOOKS.format(**GIVEN)
    connection = load(text, contacts=f"{HEAD}fields: {{email: email}}\n").connections["crm"]
    assert connection.webhooks == WebhookSettings(HOOK, "canary-token-1")
    assert "canary" not in repr(connection)
    assert (connection.timing.pull_seconds, connection.timing.reread_seconds) == (60, 86_400)


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ({"secret": "canary-token-7"}, "4:61", "a secret stands in the file"),
        ({"url": "https://hooks.example.com/crm"}, "4:21", "are taken at /hooks/crm, and this"),
        ({"connector": "salesforce"}, "4:5", "salesforce sends no webhooks: it is asked every"),
    ],
)
def test_webhooks_that_a_person_should_think_about(load, keys, place, words):
    """With the place, and without the secret."""
    contacts = f"{HEAD}fields: {{email: email}}\n"
    (warning,) = load(WEBHOOKS.format(**(GIVEN | keys)), contacts=contacts).warnings
    assert f"{warning.line}:{warning.column}" == place
    assert words in warning.message
    assert "canary" not in str(warning)


def test_goals_segments_and_identity_are_read(load):
    """What other rooms need of crmsync.yaml."""
    project = (
        "connections:\n  crm: {connector: memory, limits: {calls_per_10s: 190}}\n"
        "goals: {plan_upgraded: {}, signed_up: }\n"
        "segments: {vip: 'revenue > $1000'}\n"
        "identity: {types: strict, email_as_user_id: user_id, max_trait_names: 5}\n"
    )
    configuration = load(project)
    assert configuration.goals == {"plan_upgraded", "signed_up"}
    assert list(configuration.segments) == ["vip"]
    assert configuration.identity.types == "strict"
    assert configuration.identity.email_as_user_id == "user_id"
    assert configuration.identity.max_trait_names == 5
    assert configuration.connections["crm"].limits == {"calls_per_10s": 190}


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:8080/crm",
    ],
)
def test_base_urls_that_are_accepted(load, url):
    """With https anywhere, plain http on this machine."""
    project = f"connections:\n  crm: {{connector: memory, base_url: '{url}/'}}\n"
    assert load(project).connections["crm"].base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://2130706433",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://",
        "https://api.example.com:99999",
        "https://user@api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com#x",
        "https://api example.com",
        "127.0.0.1:80",
    ],
)
def test_base_urls_that_are_refused(load, url):
    """Anything that could carry a token in the clear or to where nobody meant it."""
    project = f"connections:\n  crm: {{connector: memory, base_url: '{url}'}}\n"
    (found,) = problems_of(load, project=project)
    assert "base_url: " in found


@pytest.mark.parametrize("keys", ["", "associate|unless_linked|drift|on_delete|on_merge"])
def test_the_shipped_samples_load(load, keys):
    """All of them, together, without an error or a warning; with what they leave out, too."""
    crms = ("hubspot", "pipedrive", "salesforce", "zoho")
    project = "connections:\n" + "".join(f"  {name}: {{connector: {name}}}\n" for name in crms)
    samples = {
        path.stem: re.sub(rf"^# (?=({keys}):)", "", path.read_text(), flags=re.MULTILINE)
        for path in (ROOT / "mappings").glob("*.yaml")
    }
    configuration = load(project, **samples)
    assert {m.sync for m in configuration.mappings} == set(samples)
    assert configuration.warnings == ()
    assert all(mapping.pulls for mapping in configuration.mappings)
    assert any(mapping.associations for mapping in configuration.mappings) == bool(keys)


def test_what_init_writes_loads(load):
    """The first mapping, and the crmsync.yaml it belongs to, with its comments taken off too."""
    project = starter.project_text("crm", "hubspot", '{token: "${CRM_TOKEN}"}', "calls_per_10s: 9")
    about = "contacts", ("crmsync_id", "email"), {"name": "name"}
    mapping = starter.mapping_text("crm", *about, None)
    configuration = load(project, contacts=mapping)
    assert configuration.connections["crm"].auth == {"token": "canary-token-1"}
    assert configuration.mappings[0].object_type == "contacts"
    uncommented = re.sub(
        r"^( *)# (?=(only|mode|pull|  crm_owner|\w+_field):)", r"\1", mapping, flags=re.MULTILINE
    )
    mapping = load(project, contacts=uncommented).mappings[0]
    assert mapping.condition is not None
    assert len(mapping.fields) == 4
    assert [(pull.trait, pull.name) for pull in mapping.pulls] == [("crm_owner", "owner_field")]
    mapping = load(project, contacts=starter.mapping_text("crm", *about, "owner_id")).mappings[0]
    assert [(pull.trait, pull.name) for pull in mapping.pulls] == [("crm_owner", "owner_id")]
