"""What Pipedrive makes of a change to a deal: its stage, and its status with the times of it.

Won and lost are a status; the deal stays in the stage it was in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmsync.sandbox.pipedrive.sales import Pipelines
from crmsync.sandbox.pipedrive.schemas import Values
from crmsync.sandbox.pipedrive.wire import rfc3339

_ONLY_WITH = {
    "lost_reason": ("lost",),
    "lost_time": ("lost",),
    "won_time": ("won",),
    "close_time": ("won", "lost"),
}
"""The statuses a deal must have for a key to be set."""


def adjusted(
    changes: Values, held: Mapping[str, Any], pipelines: Pipelines, now: int, problems: list[str]
) -> Values:
    """Return checked changes with all that follows from them; `held` is empty for a new deal."""
    made = {**changes, **_stage(changes, held, pipelines, problems)}
    if not held or ("stage_id" in made and made["stage_id"] != held["stage_id"]):
        made["stage_change_time"] = rfc3339(now)
    made.update(_status(changes, held, now, problems))
    if "is_archived" in changes or "archive_time" in changes:
        made.update(_archive(changes, held, now))
    made.pop("is_deleted", None)
    return made


def _stage(
    changes: Values, held: Mapping[str, Any], pipelines: Pipelines, problems: list[str]
) -> Values:
    pipeline_id, stage_id = changes.get("pipeline_id"), changes.get("stage_id")
    if stage_id is not None:
        stage = pipelines.get_stage(stage_id)
        if pipeline_id not in (None, stage.pipeline_id):
            problems.append(f"stage_id: Stage {stage_id} is not in pipeline {pipeline_id}")
        return {"pipeline_id": stage.pipeline_id, "stage_id": stage_id}
    if held and pipeline_id in (None, held["pipeline_id"]):
        return {}
    pipeline = pipelines.get(pipeline_id) if pipeline_id else next(iter(pipelines.all.values()))
    return {"pipeline_id": pipeline.id, "stage_id": next(iter(pipeline.stages), None)}


def _status(changes: Values, held: Mapping[str, Any], now: int, problems: list[str]) -> Values:
    before = held.get("status", "open")
    status = changes.get("status", before)
    for key, statuses in _ONLY_WITH.items():
        if changes.get(key) is not None and status not in statuses:
            problems.append(f"{key}: allowed only when status is {' or '.join(statuses)}")
    if status == before and status == "open":
        return {}
    made: Values = {key: None for key, statuses in _ONLY_WITH.items() if status not in statuses}
    if status != "open":
        key = f"{status}_time"
        known = held.get(key) if status == before else None
        made[key] = changes.get(key) or changes.get("close_time") or known or rfc3339(now)
        made["close_time"] = changes.get("close_time") or made[key]
    return made


def _archive(changes: Values, held: Mapping[str, Any], now: int) -> Values:
    if not changes.get("is_archived", held.get("is_archived", False)):
        return {"is_archived": False, "archive_time": None}
    at = changes.get("archive_time") or held.get("archive_time") or rfc3339(now)
    return {"is_archived": True, "archive_time": at}
