"""What Zoho makes of written values, and what fields must have in common."""

from __future__ import annotations

from collections.abc import Callable

from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.records import Values
from crmsync.sandbox.zoho.sales import Pipelines


def adjust_person(changes: Values, held: Values, _now: int) -> Values:
    """Compute the full name of a lead or contact."""
    if "First_Name" not in changes and "Last_Name" not in changes:
        return changes
    both = {**held, **changes}
    full_name = f"{both.get('First_Name') or ''} {both.get('Last_Name') or ''}".strip()
    return {**changes, "Full_Name": full_name}


class DealRules:
    """The rules of deals, which move through pipelines."""

    def __init__(self, pipelines: Pipelines, iso: Callable[[int], str]) -> None:
        """Follow these pipelines; `iso` writes times."""
        self._pipelines = pipelines
        self._iso = iso

    def verify(self, changes: Values, held: Values, path: str) -> None:
        """Refuse a stage that the deal's pipeline does not have."""
        if "Stage" not in changes and "Pipeline" not in changes:
            return
        both = {**held, **changes}
        pipeline, stage = both.get("Pipeline"), both.get("Stage")
        known = pipeline in self._pipelines.all
        if known and stage is not None and not self._pipelines.holds(str(pipeline), stage):
            raise errors.stage_mismatch(f"{path}.Stage")

    def adjust(self, changes: Values, held: Values, now: int) -> Values:
        """Set what follows from a new stage: its probability, and when it was entered."""
        stage = self._pipelines.stages.get(str(changes.get("Stage")))
        if stage is None or changes["Stage"] == held.get("Stage"):
            return changes
        return {
            "Probability": stage.probability,
            **changes,
            "Stage_Modified_Time": self._iso(now),
        }
