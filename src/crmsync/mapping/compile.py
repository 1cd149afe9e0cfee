"""One mapping file's checked keys, made into a `SyncMapping`.

What a single key cannot tell is checked on the way: names, conditions, transforms that must fit
one another. Every mistake is noted at its place, and the rest goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from crmsync.mapping import conditions
from crmsync.mapping.compiled import (
    Drift,
    FieldMapping,
    Mode,
    OnDelete,
    OnDuplicate,
    OnMerge,
    SyncMapping,
)
from crmsync.mapping.conditions import Condition
from crmsync.mapping.fields import FieldReader
from crmsync.mapping.predicates import predicate
from crmsync.mapping.problems import Place, Problems
from crmsync.mapping.pulls import PullReader, with_owners
from crmsync.mapping.spec import LeaveKeys, MappingKeys, names_of
from crmsync.mapping.trigger_keys import read_triggers
from crmsync.mapping.triggers import REALTIME, Trigger
from crmsync.mapping.vocabulary import Vocabulary
from crmsync.mapping.yaml_nodes import MapNode, node_at
from crmsync.model import ProfileKind

MEANING: Final = 1
"""Part of every mapping's hash: raise it when the same file comes to mean something else."""
_SOURCES: Final = {"profiles": ProfileKind.PERSON, "companies": ProfileKind.COMPANY}
_EMAIL: Final = "email"
_OF_COMPANY: Final = frozenset({"company_id"})
"""What changes when a person comes to belong to another company."""


def compile_mapping(
    sync: str, keys: MappingKeys, root: MapNode, vocabulary: Vocabulary, problems: Problems
) -> SyncMapping:
    """Return the compiled mapping; it is of use only if no error was noted."""
    match_places = _check_match(keys, root, vocabulary, problems)
    triggers = frozenset({REALTIME})
    if "trigger" in root.entries:
        triggers = read_triggers(keys.trigger, root.entries["trigger"], problems)
    condition = None
    if keys.only is not None:
        condition = vocabulary.read_condition(root.entries["only"], timeless=True)
    reader = FieldReader(vocabulary, triggers, problems)
    read = []
    for name, given in keys.fields.items():
        node, place, _ = node_at(root, ("fields", name))
        read.append(reader.read(name, given, node, place))
    back = PullReader(keys, root, vocabulary, problems)
    pulls, deals = back.records(), back.deals()
    fields = with_owners((one[0] for one in read if one), pulls)
    meanings = {one[0].name: one[1] for one in read if one}
    leave = _leave_fields(keys, fields, root, problems)
    scope_facts = frozenset(keys.match.values())
    scope_facts |= conditions.facts_of(condition) if condition else frozenset()
    scope_facts |= _OF_COMPANY if keys.associate else frozenset()
    by_fact = _triggers_by_fact(scope_facts, triggers, fields)
    return SyncMapping(
        sync=sync,
        connection=keys.connection,
        source=_SOURCES[keys.source],
        object_type=keys.object,
        match=tuple(keys.match.items()),
        triggers=triggers,
        condition=condition,
        only=predicate(condition, vocabulary.kinds) if condition else None,
        mode=Mode(keys.mode),
        leave_fields=leave,
        fields=fields,
        hash=_hash(keys, triggers, condition, leave, _with_conflicts(meanings, fields)),
        reads=frozenset(by_fact),
        triggers_by_fact=by_fact,
        event_names=_event_names(triggers, fields),
        place=root.place,
        match_places=match_places,
        leave_place=node_at(root, ("on_leave",))[1],
        pulls=pulls,
        deals=deals,
        associations=tuple(keys.associate.items()),
        drift=Drift(keys.drift),
        on_delete=OnDelete(keys.on_delete),
        on_merge=OnMerge(keys.on_merge),
        on_duplicate=OnDuplicate(keys.on_duplicate),
        reconcile=keys.reconcile,
        unless_linked=frozenset(names_of(keys.unless_linked)),
    )


def _check_match(
    keys: MappingKeys, root: MapNode, vocabulary: Vocabulary, problems: Problems
) -> dict[str, Place]:
    places = {}
    for field, fact in keys.match.items():
        node, places[field], _ = node_at(root, ("match", field))
        vocabulary.check_name(fact, node.place)
    if set(keys.match.values()) == {_EMAIL}:
        message = (
            "matched by e-mail alone: once linked, a record is followed through a changed e-mail, "
            "but without the link it cannot be found again; add a unique field of ours first, "
            "such as `crmsync_id: profile_id`"
        )
        problems.warn(root.key_places["match"], message)
    return places


def _leave_fields(
    keys: MappingKeys, fields: Iterable[FieldMapping], root: MapNode, problems: Problems
) -> dict[str, Any]:
    """Return what `on_leave` writes; the fields a record is found by are never cleared."""
    if keys.on_leave == "keep":
        return {}
    if keys.only is None:
        message = "on_leave has no effect without `only`: no profile ever leaves"
        problems.error(root.key_places["on_leave"], message)
    if isinstance(keys.on_leave, LeaveKeys):
        return dict(keys.on_leave.set)
    return {field.name: None for field in fields if field.name not in keys.match}


def _triggers_by_fact(
    scope_facts: Iterable[str], triggers: frozenset[Trigger], fields: Iterable[FieldMapping]
) -> dict[str, frozenset[Trigger]]:
    found: dict[str, frozenset[Trigger]] = dict.fromkeys(scope_facts, triggers)
    for field in fields:
        for fact in field.reads:
            found[fact] = found.get(fact, frozenset()) | field.triggers
    return found


def _event_names(triggers: frozenset[Trigger], fields: Iterable[FieldMapping]) -> frozenset[str]:
    every = triggers.union(*(field.triggers for field in fields))
    return frozenset[str]().union(*(trigger.events for trigger in every))


def _hash(
    keys: MappingKeys,
    triggers: frozenset[Trigger],
    condition: Condition | None,
    leave: Mapping[str, Any],
    fields: Mapping[str, Mapping[str, Any]],
) -> str:
    meaning = {
        "meaning": MEANING,
        "connection": keys.connection,
        "source": keys.source,
        "object": keys.object,
        "match": list(keys.match.items()),
        "trigger": sorted(str(trigger) for trigger in triggers),
        "only": conditions.canonical(condition) if condition else None,
        "mode": keys.mode,
        "on_leave": leave,
        "fields": fields,
        **_ties(keys),
    }
    return sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


def _with_conflicts(
    meanings: Mapping[str, Mapping[str, Any]], fields: Iterable[FieldMapping]
) -> dict[str, Mapping[str, Any]]:
    return {field.name: {**meanings[field.name], "conflict": field.conflict} for field in fields}


def _ties(keys: MappingKeys) -> dict[str, Any]:
    """Return what else decides about a push; nothing of what is only read back does."""
    ties = {"associate": keys.associate, "unless_linked": sorted(names_of(keys.unless_linked))}
    return {name: value for name, value in ties.items() if value}
