"""Owners, pipelines with their stages, and the account's own details."""

from __future__ import annotations

from datetime import datetime

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.calls.call import Call, Json, required
from crmsync.sandbox.hubspot.sales import Owner, Pipeline
from crmsync.sandbox.limits import time_zone

_PAGE = 100
_MAX_PAGE = 500


def list_owners(call: Call) -> Answer:
    """Return a page of owners: those who work here, or those who left."""
    limit = call.limit(_PAGE, _MAX_PAGE)
    after = int(call.request.one("after") or "0")
    archived, email = call.flag("archived"), call.request.one("email")
    found = [
        owner
        for owner in call.portal.owners.all.values()
        if owner.active is not archived and int(owner.id) >= after and email in (None, owner.email)
    ]
    body: Json = {"results": [_owner(call, owner) for owner in found[:limit]]}
    if len(found) > limit:
        following = found[limit].id
        body["paging"] = {"next": {"after": following, "link": call.link(following)}}
    return Answer.of(200, body)


def read_owner(call: Call) -> Answer:
    """Return one owner, by owner id or by user id."""
    wanted, archived = call.path["id"], call.flag("archived")
    by_user = call.request.one("idProperty") == "userId"
    for owner in call.portal.owners.all.values():
        own = str(owner.user_id) if by_user else owner.id
        if own == wanted and owner.active is not archived:
            return Answer.of(200, _owner(call, owner))
    raise errors.not_found()


def list_pipelines(call: Call) -> Answer:
    """Return the pipelines; only deals have any here."""
    ordered = sorted(_pipelines(call).values(), key=lambda pipeline: pipeline.display_order)
    return Answer.of(200, {"results": [pipeline.report() for pipeline in ordered]})


def read_pipeline(call: Call) -> Answer:
    """Return one pipeline."""
    return Answer.of(200, _pipeline(call).report())


def create_pipeline(call: Call) -> Answer:
    """Add a pipeline with its stages."""
    body, now = call.body, call.portal.clock.milliseconds()
    label, order, stages = required(body, "label", "displayOrder", "stages")
    pipeline = call.portal.pipelines.add(label, order, now)
    for stage in stages:
        stage_label, stage_order = required(stage, "label", "displayOrder")
        metadata = stage.get("metadata") or {}
        call.portal.pipelines.add_stage(pipeline, stage_label, stage_order, metadata, now)
    return Answer.of(201, pipeline.report())


def update_pipeline(call: Call) -> Answer:
    """Change a pipeline's label or place."""
    pipeline, body = _pipeline(call), call.body
    pipeline.label = body.get("label", pipeline.label)
    pipeline.display_order = body.get("displayOrder", pipeline.display_order)
    pipeline.updated = call.portal.clock.milliseconds()
    return Answer.of(200, pipeline.report())


def delete_pipeline(call: Call) -> Answer:
    """Delete a pipeline; 400 while deals are in it, where the check is asked for."""
    pipeline = _pipeline(call)
    if _checked(call):
        for stage_id in pipeline.stages:
            _refuse_used(call, stage_id)
    del call.portal.pipelines.all[pipeline.id]
    return Answer(204)


def list_stages(call: Call) -> Answer:
    """Return a pipeline's stages."""
    stages = _pipeline(call).ordered()
    return Answer.of(200, {"results": [stage.report() for stage in stages]})


def read_stage(call: Call) -> Answer:
    """Return one stage."""
    stage = call.portal.pipelines.get_stage(call.path["id"], call.path["stage"])
    return Answer.of(200, stage.report())


def create_stage(call: Call) -> Answer:
    """Add a stage."""
    body = call.body
    label, order = required(body, "label", "displayOrder")
    metadata, now = body.get("metadata") or {}, call.portal.clock.milliseconds()
    stage = call.portal.pipelines.add_stage(_pipeline(call), label, order, metadata, now)
    return Answer.of(201, stage.report())


def update_stage(call: Call) -> Answer:
    """Change a stage; its id stays."""
    stage, body = call.portal.pipelines.get_stage(call.path["id"], call.path["stage"]), call.body
    stage.label = body.get("label", stage.label)
    stage.display_order = body.get("displayOrder", stage.display_order)
    stage.metadata.update({k: str(v) for k, v in (body.get("metadata") or {}).items()})
    stage.updated = call.portal.clock.milliseconds()
    return Answer.of(200, stage.report())


def delete_stage(call: Call) -> Answer:
    """Delete a stage; 400 while deals are in it."""
    stage = call.portal.pipelines.get_stage(call.path["id"], call.path["stage"])
    _refuse_used(call, stage.id)
    del _pipeline(call).stages[stage.id]
    return Answer(204)


def account_details(call: Call) -> Answer:
    """Return the account's id, time zone and currency."""
    settings = call.portal.settings
    now = datetime.fromtimestamp(call.portal.clock.time(), time_zone(settings.time_zone))
    offset = now.utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    details = {
        "portalId": settings.portal_id,
        "accountType": "STANDARD",
        "timeZone": settings.time_zone,
        "companyCurrency": "USD",
        "additionalCurrencies": [],
        "utcOffset": f"{sign}{minutes // 60:02}:{minutes % 60:02}",
        "utcOffsetMilliseconds": seconds * 1000,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }
    return Answer.of(200, details)


def _owner(call: Call, owner: Owner) -> Json:
    return owner.report(call.portal.created)


def _pipelines(call: Call) -> dict[str, Pipeline]:
    return call.portal.pipelines.all if call.type == "deals" else {}


def _pipeline(call: Call) -> Pipeline:
    return call.portal.pipelines.get(call.path["id"])


def _checked(call: Call) -> bool:
    checks = ("validateReferencesBeforeDelete", "validateDealStageUsagesBeforeDelete")
    return any(call.flag(check) for check in checks)


def _refuse_used(call: Call, stage_id: str) -> None:
    deals = call.portal.objects["deals"].every()
    users = [d.id for d in deals if d.archived is None and d.values.get("dealstage") == stage_id]
    if users:
        text = f"Stage {stage_id} is still in use by deals {', '.join(users[:10])}"
        raise errors.invalid(text, subCategory="PipelineError.STAGE_ID_IN_USE")
