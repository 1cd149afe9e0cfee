"""What must fit between the mappings of a project: syncs that name one another, shared traits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from crmsync.mapping.compiled import Conflict, PullField, SyncMapping
from crmsync.mapping.problems import Place, Problems, did_you_mean, listed
from crmsync.mapping.yaml_nodes import ListNode, MapNode, ScalarNode, node_at
from crmsync.model import ProfileKind

Compiled: TypeAlias = tuple[SyncMapping, MapNode]
"""A mapping, and the file it was made from."""
_KINDS: Final = {ProfileKind.PERSON: "people", ProfileKind.COMPANY: "companies"}
_YIELDING: Final = frozenset({Conflict.NEWEST, Conflict.ONLY_IF_EMPTY})
"""What a pull says that leaves room for another into the same trait."""


def check_together(
    compiled: Sequence[Compiled], names: Collection[str], problems: Problems
) -> None:
    """Note what does not fit; `names` are those of all syncs, also of files that are wrong."""
    by_name = {mapping.sync: mapping for mapping, _ in compiled}
    for mapping, root in compiled:
        for other, sync in mapping.associations:
            place = node_at(root, ("associate", other))[0].place
            if _is_known(sync, names, place, problems) and sync in by_name:
                _check_association(mapping, other, by_name[sync], place, problems)
        for sync, place in _unless_linked(root):
            if _is_known(sync, names, place, problems) and sync in by_name:
                _check_other(mapping, by_name[sync], place, problems)
    for kind in ProfileKind:
        mappings = [mapping for mapping, _ in compiled if mapping.source is kind]
        _check_shared_traits(mappings, problems)


def _is_known(sync: str, names: Collection[str], place: Place, problems: Problems) -> bool:
    if sync in names:
        return True
    near = did_you_mean(sync, names) or f"; there are {listed(sorted(names))}"
    problems.error(place, f"unknown sync '{sync}'{near}")
    return False


def _check_association(
    mapping: SyncMapping, other: str, companies: SyncMapping, place: Place, problems: Problems
) -> None:
    """Note why people of `mapping` cannot be tied to the records that `companies` makes."""
    if mapping.source is not ProfileKind.PERSON:
        complaint = "`associate` ties people to their companies; this mapping sends companies"
    elif companies.source is not ProfileKind.COMPANY:
        complaint = f"'{companies.sync}' sends people; name a sync with `source: companies`"
    elif companies.connection != mapping.connection:
        complaint = f"'{companies.sync}' is of connection '{companies.connection}', this mapping "
        complaint += f"of '{mapping.connection}': only records of one account can be tied"
    elif companies.object_type != other:
        complaint = f"'{companies.sync}' makes records of '{companies.object_type}', not '{other}'"
    else:
        return
    problems.error(place, complaint)


def _check_other(
    mapping: SyncMapping, other: SyncMapping, place: Place, problems: Problems
) -> None:
    if other is mapping:
        problems.error(place, "unless_linked names this sync itself; name others")
    elif other.source is not mapping.source:
        whom, these = _KINDS[other.source], _KINDS[mapping.source]
        problems.error(place, f"'{other.sync}' sends {whom}, and this mapping {these}")


def _unless_linked(root: MapNode) -> Iterator[tuple[str, Place]]:
    node = root.entries.get("unless_linked")
    for one in node.items if isinstance(node, ListNode) else [node]:
        if isinstance(one, ScalarNode):
            yield one.text, one.place


def _check_shared_traits(mappings: Iterable[SyncMapping], problems: Problems) -> None:
    """Note traits that more than one mapping reads, unless all but one say how they give way."""
    first: dict[str, PullField] = {}
    for mapping in mappings:
        of_deals = mapping.deals.pulls if mapping.deals else ()
        for pull in (*mapping.pulls, *of_deals):
            if pull.conflict in _YIELDING:
                continue
            place = first.setdefault(pull.trait, pull).place
            if place is not pull.place:
                message = (
                    f"'{pull.trait}' is read in {place.file}:{place.line} too: choose another "
                )
                message += "name, or let all but one say `conflict: newest` or `only_if_empty`"
                problems.error(pull.place, message)
