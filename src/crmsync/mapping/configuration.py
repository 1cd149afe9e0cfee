"""crmsync.yaml and the mapping files beside it: read, checked and compiled in one go.

    configuration = load_configuration(Path("crmsync.yaml"), os.environ, known_facts=..., ...)

Every mistake of every file is collected before anything is refused. Called at start-up and by
`crmsync check`; the environment is a parameter, so that nothing is read behind the caller's back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from crmsync.errors import ConfigError, Problem
from crmsync.mapping.compile import compile_mapping
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.conditions import Condition
from crmsync.mapping.connections import (
    ConnectionSettings,
    read_connections,
    read_timing,
    with_kept_tokens,
)
from crmsync.mapping.declared import Declared, check_declared
from crmsync.mapping.guarding import guard_of
from crmsync.mapping.problems import Place, Problems, did_you_mean, listed
from crmsync.mapping.project_spec import IdentityKeys, ProjectKeys
from crmsync.mapping.pulls import pulled_names
from crmsync.mapping.shape import checked
from crmsync.mapping.spec import GuardKeys, MappingKeys
from crmsync.mapping.together import check_together
from crmsync.mapping.vocabulary import Vocabulary
from crmsync.mapping.yaml_nodes import MAX_BYTES, MapNode, ScalarNode, node_at, read_yaml
from crmsync.model import Timing

MAPPINGS: Final = "mappings"
"""The folder beside crmsync.yaml that holds one file per mapping."""
_OF_COMPANY: Final = "company_"
"""Before the name of a company's trait, where it is a fact of the company's people."""


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """How events become people."""

    email_as_user_id: str
    """What to do with an e-mail given as user id: `warn` takes it as e-mail, `user_id` keeps it."""
    types: str
    """`lenient` or `strict`."""
    max_trait_names: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything a person wrote, checked."""

    connections: Mapping[str, ConnectionSettings]
    mappings: tuple[SyncMapping, ...]
    """In the order of their names."""
    goals: frozenset[str]
    """Names of tracked events that count as goals."""
    segments: Mapping[str, Condition]
    identity: IdentityRules
    traits: Mapping[str, str]
    """Declared traits and their types."""
    timing: Timing
    warnings: tuple[Problem, ...] = field(default=())


def load_configuration(  # noqa: PLR0913 - the one door, every argument but two by name
    path: Path,
    env: Mapping[str, str],
    *,
    known_facts: Mapping[str, str],
    connectors: Collection[str],
    company_facts: Mapping[str, str] | None = None,
    declared_by: Callable[[str], Declared] = lambda _connector: Declared(),
    extra_facts: Collection[str] = (),
    reserved_facts: Collection[str] = (),
    reserved_company_facts: Collection[str] = (),
    kept_tokens: Collection[str] = (),
) -> Configuration:
    """Read crmsync.yaml at `path` and `mappings/*.yaml` beside it.

    `known_facts` maps the facts every person may have to their types, `company_facts` those of
    companies (None: the same); `extra_facts` are further names that events have brought, the
    `reserved` ones those that no CRM may say; `connectors` are the CRMs there is code for, and
    `declared_by` says what holds for one of them; `kept_tokens` the connections whose token need
    not be in the environment.
    Raises `ConfigError` with every problem of every file.
    """
    problems = Problems()
    root = _read(path, path.name, problems)
    project_env = with_kept_tokens(env, root, kept_tokens) if root else env
    project = checked(root, ProjectKeys, project_env, problems) if root else None
    files = _read_files(path.parent, problems)
    if root is None or project is None:
        _compile_all(files, root, env, {}, problems, GuardKeys())
        raise ConfigError(problems=problems.errors)
    pulled, company_pulled = _pulled(files.values())
    people = Vocabulary(
        {**known_facts, **project.traits},
        extra_facts,
        problems,
        reserved=reserved_facts,
        pulled=pulled,
    )
    _read_segments(root, people)
    companies = Vocabulary(
        {**(known_facts if company_facts is None else company_facts), **project.traits},
        extra_facts,
        problems,
        reserved=reserved_company_facts,
        pulled=company_pulled,
    )
    vocabularies = {"profiles": people, "companies": companies}
    mappings = _compile_all(files, root, env, vocabularies, problems, project.guard)
    declared = {name: declared_by(name) for name in _connectors(project) if name in connectors}
    connections = read_connections(project, root, connectors, declared, problems)
    for mapping in mappings:
        known = connections.get(mapping.connection)
        if known is not None and known.connector in declared:
            crm = declared[known.connector]
            check_declared(mapping, files[mapping.sync], known.connector, crm, problems)
    timing = read_timing(project.timing, Timing(), root, ("timing",), problems)
    if problems.errors:
        raise ConfigError(problems=problems.errors)
    return Configuration(
        connections=connections,
        mappings=mappings,
        goals=frozenset(project.goals),
        segments={name: c for name, c in people.segments.items() if c is not None},
        identity=_identity(project.identity),
        traits=dict(project.traits),
        timing=timing,
        warnings=problems.warnings,
    )


def _connectors(project: ProjectKeys) -> set[str]:
    return {keys.connector for keys in project.connections.values()}


def _identity(keys: IdentityKeys) -> IdentityRules:
    return IdentityRules(keys.email_as_user_id, keys.types, keys.max_trait_names)


def _read(path: Path, file: str, problems: Problems) -> MapNode | None:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        problems.error(Place(file), f"there is no {path}; `crmsync init` writes one")
        return None
    except OSError as error:
        problems.error(Place(file), f"cannot be read: {error.strerror}")
        return None
    return read_yaml(file, content, problems)


def _read_segments(root: MapNode, vocabulary: Vocabulary) -> None:
    segments = root.entries.get("segments")
    if isinstance(segments, MapNode):
        vocabulary.segments |= {
            name: vocabulary.read_condition(node, timeless=False)
            for name, node in segments.entries.items()
        }


def _read_files(folder: Path, problems: Problems) -> dict[str, MapNode]:
    """Return every mapping file that is YAML, by the name of its sync."""
    roots = {}
    for path in sorted((folder / MAPPINGS).glob("*.y*ml")):
        file = f"{MAPPINGS}/{path.name}"
        if path.suffix != ".yaml":
            problems.warn(Place(file), "not read: a mapping's name ends in .yaml")
        elif root := _read(path, file, problems):
            roots[path.stem] = root
    return roots


def _pulled(roots: Iterable[MapNode]) -> tuple[set[str], set[str]]:
    """Return what the mappings read from CRMs: names of people's traits, and of companies'."""
    people: set[str] = set()
    companies: set[str] = set()
    for root in roots:
        source = root.entries.get("source")
        is_companies = isinstance(source, ScalarNode) and source.text == "companies"
        (companies if is_companies else people).update(pulled_names(root))
    return people | {f"{_OF_COMPANY}{name}" for name in companies}, companies


def _compile_all(  # noqa: PLR0913, PLR0917 - what all files are read with
    roots: Mapping[str, MapNode],
    project: MapNode | None,
    env: Mapping[str, str],
    vocabularies: Mapping[str, Vocabulary],
    problems: Problems,
    guard: GuardKeys,
) -> tuple[SyncMapping, ...]:
    """Check and compile every mapping; without a vocabulary only what needs none is checked."""
    compiled = []
    seen: dict[tuple[str, str], str] = {}
    names = _connection_names(project)
    for sync, root in roots.items():
        keys = checked(root, MappingKeys, env, problems)
        if keys is None:
            continue
        _check_pair(keys, root, seen, names, problems)
        if vocabulary := vocabularies.get(keys.source):
            mapping = compile_mapping(sync, keys, root, vocabulary, problems)
            guarded = replace(mapping, guard=guard_of(keys.guard, guard))
            compiled.append((guarded, root))
    check_together(compiled, roots, problems)
    if not compiled and not problems.errors:
        problems.warn(Place(f"{MAPPINGS}/"), "no mapping yet: nothing will be sent")
    followed = {sync for mapping, _ in compiled for sync in mapping.unless_linked}
    return tuple(replace(mapping, is_followed=mapping.sync in followed) for mapping, _ in compiled)


def _connection_names(project: MapNode | None) -> list[str] | None:
    """Return the names of connections; None where they cannot be told."""
    node = project.entries.get("connections") if project else None
    return list(node.entries) if isinstance(node, MapNode) else None


def _check_pair(
    keys: MappingKeys,
    root: MapNode,
    seen: dict[tuple[str, str], str],
    names: list[str] | None,
    problems: Problems,
) -> None:
    """Note an unknown connection, and a second mapping for the same object."""
    node, _, _ = node_at(root, ("connection",))
    if names is not None and keys.connection not in names:
        near = did_you_mean(keys.connection, names) or f"; crmsync.yaml has {listed(names)}"
        problems.error(node.place, f"unknown connection '{keys.connection}'{near}")
    pair = (keys.connection, keys.object)
    first = seen.setdefault(pair, root.place.file)
    if first != root.place.file:
        message = f"{first} already maps {keys.connection} {keys.object}; one file for each object"
        problems.error(root.key_places["object"], message)
