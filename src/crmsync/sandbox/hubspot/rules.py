"""What HubSpot makes of a write by itself: values it copies, computes, drops or refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.default_properties import LIFECYCLE_STAGES
from crmsync.sandbox.hubspot.sales import Pipelines
from crmsync.sandbox.hubspot.settings import HubSpotSettings

Values = dict[str, str]
_RANK = {stage.partition(":")[0]: rank for rank, stage in enumerate(LIFECYCLE_STAGES)}


class Rules:
    """The rules of one portal; reads its settings afresh each time."""

    def __init__(self, settings: Callable[[], HubSpotSettings], pipelines: Pipelines) -> None:
        """Take where the settings are to be had, and the pipelines deals move in."""
        self._settings = settings
        self._pipelines = pipelines

    def adjust_contact(self, changes: Values, held: Mapping[str, str]) -> Values:
        """Keep the lifecycle moving forward; a secondary address never becomes the primary."""
        if "email" in changes and changes["email"] in held.get("hs_additional_emails", "").split(
            ";"
        ):
            changes = {name: value for name, value in changes.items() if name != "email"}
        return self._forward(changes, held)

    def adjust_company(self, changes: Values, held: Mapping[str, str]) -> Values:
        """Keep the lifecycle moving forward; a new company's domain is also its website."""
        if not held and changes.get("domain") and not changes.get("website"):
            changes = {**changes, "website": changes["domain"]}
        return self._forward(changes, held)

    def adjust_deal(self, changes: Values, held: Mapping[str, str]) -> Values:
        """Put a deal without a pipeline into the default one; a stage must belong to its own."""
        if not held and not changes.get("pipeline"):
            changes = {**changes, "pipeline": "default"}
        stage = changes.get("dealstage")
        pipeline = self._pipelines.all.get(changes.get("pipeline") or held.get("pipeline", ""))
        if stage and pipeline and stage not in pipeline.stages:
            known = ", ".join(pipeline.stages)
            text = f"{stage} was not one of the allowed options: [{known}]"
            failure = {"name": "dealstage", "code": "INVALID_OPTION", "message": text}
            raise errors.invalid_values([failure], self._settings().portal_id)
        return changes

    def derive_contact(self, values: Mapping[str, str]) -> Values:
        """Compute what follows from name and address."""
        email = values.get("email", "")
        name = f"{values.get('firstname', '')} {values.get('lastname', '')}".strip()
        return {
            "hs_email_domain": email.rpartition("@")[2],
            "hs_full_name_or_email": name or email,
        }

    def derive_deal(self, values: Mapping[str, str]) -> Values:
        """Compute what follows from the stage."""
        stage = self._pipelines.find_stage(values.get("dealstage"))
        if stage is None:
            return {"hs_is_closed": "false", "hs_is_closed_won": "false"}
        return {
            "hs_is_closed": "true" if stage.closed else "false",
            "hs_is_closed_won": "true" if stage.won else "false",
            "hs_deal_stage_probability": stage.metadata.get("probability", ""),
        }

    def _forward(self, changes: Values, held: Mapping[str, str]) -> Values:
        stage, before = changes.get("lifecyclestage"), held.get("lifecyclestage")
        if not stage or not before or _RANK.get(stage, 99) >= _RANK.get(before, -1):
            return changes
        settings = self._settings()
        if settings.lifecycle_backward == "error":
            text = f"lifecyclestage cannot move back from {before} to {stage}."
            failure = {"name": "lifecyclestage", "code": "INVALID_OPTION", "message": text}
            raise errors.invalid_values([failure], settings.portal_id)
        return {name: value for name, value in changes.items() if name != "lifecyclestage"}
