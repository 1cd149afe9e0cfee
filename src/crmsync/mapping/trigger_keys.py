"""The `trigger:` of a file or a field: checked keys to a set of triggers."""

from __future__ import annotations

from crmsync.mapping.problems import Problems
from crmsync.mapping.spec import AnyTrigger, CronTrigger, EventTrigger
from crmsync.mapping.triggers import Trigger, TriggerKind, cron_complaint
from crmsync.mapping.yaml_nodes import ListNode, Node, node_at


def read_triggers(keys: AnyTrigger, node: Node, problems: Problems) -> frozenset[Trigger]:
    """Return the triggers; a cron expression that never comes due is noted at its place."""
    if isinstance(keys, list):
        nodes = node.items if isinstance(node, ListNode) else [node] * len(keys)
        found = (read_triggers(k, n, problems) for k, n in zip(keys, nodes, strict=True))
        return frozenset[Trigger]().union(*found)
    if isinstance(keys, CronTrigger):
        expression = " ".join(keys.cron.split())
        if complaint := cron_complaint(expression):
            problems.error(node_at(node, ("cron",))[0].place, complaint)
        return frozenset({Trigger(TriggerKind.CRON, cron=expression)})
    if isinstance(keys, EventTrigger):
        return frozenset({Trigger(TriggerKind.EVENT, events=frozenset(keys.event))})
    return frozenset({Trigger(TriggerKind(keys))})
