"""What a CRM's connector declares of it, and what of a mapping does not fit that.

Known without a connection: so it is refused wherever files are read, not only with `check --live`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crmsync.mapping.compiled import OnDuplicate, OnMerge, SyncMapping
from crmsync.mapping.problems import Problems
from crmsync.mapping.yaml_nodes import MapNode
from crmsync.model import Timing


@dataclass(frozen=True, slots=True)
class Declared:
    """What holds for every account of one CRM."""

    timing: Timing = field(default_factory=Timing)
    """What suits it, where crmsync.yaml says nothing."""
    limits: frozenset[str] | None = None
    """The names that `limits:` may have. None: any."""
    reference_fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Object type: other object type: the field that `associate` fills."""
    merges: bool = True
    """Whether it merges records when asked to."""
    sends_webhooks: bool = True


def check_declared(
    mapping: SyncMapping, root: MapNode, connector: str, crm: Declared, problems: Problems
) -> None:
    """Note what the mapping asks of its CRM in vain, and a field that two of its lines would fill.

    `root` is what the mapping was compiled from.
    """
    if mapping.on_merge is OnMerge.MERGE_IN_CRM and not crm.merges:
        message = f"{connector} merges no records when asked to: say `on_merge: keep`; what people "
        message += "merge in the CRM is followed"
        problems.error(root.key_places["on_merge"], message)
    if mapping.on_duplicate is OnDuplicate.MERGE and not crm.merges:
        message = f"{connector} merges no records when asked to: say `on_duplicate: report`"
        problems.error(root.key_places["on_duplicate"], message)
    references = crm.reference_fields.get(mapping.object_type, {})
    tied = {references[other]: other for other, _ in mapping.associations if other in references}
    for line in mapping.fields:
        if other := tied.get(line.name):
            message = f"'{line.name}' is filled by `associate`: it names the record of '{other}'; "
            message += "remove one of the two"
            problems.error(line.place, message)
