"""Owners (the portal's users) and the deal pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.values import Invalid
from crmsync.sandbox.hubspot.wire import iso


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody a record can be given to, by `id` and never by `user_id`."""

    id: str
    user_id: int
    email: str
    first_name: str
    last_name: str
    active: bool = True

    def report(self, created: int) -> dict[str, Any]:
        """Return it as the API does; a deactivated user has no user id any more."""
        return {
            "id": self.id,
            "email": self.email,
            "type": "PERSON",
            "firstName": self.first_name,
            "lastName": self.last_name,
            "userId": self.user_id if self.active else None,
            "userIdIncludingInactive": self.user_id,
            "createdAt": iso(created),
            "updatedAt": iso(created),
            "archived": not self.active,
            "teams": [{"id": "1", "name": "Sales", "primary": True}],
        }


FIRST_OWNERS = (
    Owner("41629779", 9586504, "ada.sales@portal.example", "Ada", "Sales"),
    Owner("41629780", 9586505, "ben.closer@portal.example", "Ben", "Closer"),
    Owner("41629781", 9586506, "cleo.hunter@portal.example", "Cleo", "Hunter"),
    Owner("41629782", 9586507, "dan.gone@portal.example", "Dan", "Gone", active=False),
)
"""Three who work here, and one who left."""


class Owners:
    """The portal's owners."""

    def __init__(self) -> None:
        """Start with the first ones."""
        self.all: dict[str, Owner] = {owner.id: owner for owner in FIRST_OWNERS}
        self.deactivated_assignable = False

    def add(self, email: str, first_name: str = "", last_name: str = "") -> Owner:
        """Add one."""
        number = max(int(owner_id) for owner_id in self.all) + 1
        user_id = max(owner.user_id for owner in self.all.values()) + 1
        owner = Owner(str(number), user_id, email, first_name, last_name)
        self.all[owner.id] = owner
        return owner

    def deactivate(self, owner_id: str) -> None:
        """Deactivate one; what is theirs stays theirs."""
        self.all[owner_id] = replace(self.all[owner_id], active=False)

    def check(self, value: str) -> str:
        """Take the id of an owner; a user id is none."""
        owner = self.all.get(value)
        if owner is None or not (owner.active or self.deactivated_assignable):
            raise Invalid("INVALID_OPTION", f"{value} was not one of the allowed options: []")
        return value


@dataclass(slots=True)
class Stage:
    """One stage of a pipeline. Ids are stable, labels are not."""

    id: str
    label: str
    display_order: int
    metadata: dict[str, str]
    created: int
    updated: int

    @property
    def closed(self) -> bool:
        """Whether deals in it are decided."""
        return self.metadata.get("isClosed") == "true"

    @property
    def won(self) -> bool:
        """Whether they are won."""
        return self.closed and float(self.metadata.get("probability", "0")) == 1.0

    def report(self) -> dict[str, Any]:
        """Return it as the API does."""
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": self.display_order,
            "metadata": dict(self.metadata),
            "archived": False,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        }


@dataclass(slots=True)
class Pipeline:
    """One pipeline with its stages, in their order."""

    id: str
    label: str
    display_order: int
    created: int
    updated: int
    stages: dict[str, Stage] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Return it as the API does."""
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": self.display_order,
            "stages": [stage.report() for stage in self.ordered()],
            "archived": False,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
        }

    def ordered(self) -> list[Stage]:
        """Return the stages as they are displayed."""
        return sorted(self.stages.values(), key=lambda stage: stage.display_order)


_DEFAULT_STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
_RENEWAL_STAGES = (("Upcoming", "0.5"), ("Renewed", "1.0"), ("Churned", "0.0"))


class Pipelines:
    """The deal pipelines: the default one, and one somebody made with numeric ids."""

    def __init__(self, now: int) -> None:
        """Make the first two."""
        self._next_id = 107_000_001
        self.all: dict[str, Pipeline] = {}
        default = Pipeline("default", "Sales Pipeline", 0, now, now)
        for order, (stage_id, label, probability) in enumerate(_DEFAULT_STAGES):
            metadata = _metadata(probability)
            default.stages[stage_id] = Stage(stage_id, label, order, metadata, now, now)
        self.all[default.id] = default
        renewals = self.add("Renewals", 1, now)
        for order, (label, probability) in enumerate(_RENEWAL_STAGES):
            self.add_stage(renewals, label, order, _metadata(probability), now)

    def add(self, label: str, display_order: int, now: int) -> Pipeline:
        """Add an empty pipeline."""
        pipeline = Pipeline(self._new_id(), label, display_order, now, now)
        self.all[pipeline.id] = pipeline
        return pipeline

    def add_stage(
        self, pipeline: Pipeline, label: str, order: int, metadata: Mapping[str, Any], now: int
    ) -> Stage:
        """Add a stage; metadata values are kept as strings."""
        texts = {name: str(value) for name, value in metadata.items()}
        if "isClosed" not in texts:
            texts["isClosed"] = _metadata(texts.get("probability", "0.5"))["isClosed"]
        stage = Stage(self._new_id(), label, order, texts, now, now)
        pipeline.stages[stage.id] = stage
        return stage

    def get(self, pipeline_id: str) -> Pipeline:
        """Return a pipeline; 404 where there is none."""
        if pipeline_id not in self.all:
            raise errors.ApiError(404, f"No pipeline with id {pipeline_id}", errors.NOT_FOUND)
        return self.all[pipeline_id]

    def get_stage(self, pipeline_id: str, stage_id: str) -> Stage:
        """Return a stage of a pipeline; 404 where there is none."""
        stage = self.get(pipeline_id).stages.get(stage_id)
        if stage is None:
            raise errors.ApiError(404, f"No stage with id {stage_id}", errors.NOT_FOUND)
        return stage

    def find_stage(self, stage_id: str | None) -> Stage | None:
        """Return a stage of whatever pipeline."""
        stages = (pipeline.stages.get(stage_id or "") for pipeline in self.all.values())
        return next((stage for stage in stages if stage is not None), None)

    def check_pipeline(self, value: str) -> str:
        """Take the id of a pipeline; a label is none."""
        if value not in self.all:
            known = ", ".join(self.all)
            raise Invalid(
                "INVALID_OPTION", f"{value} was not one of the allowed options: [{known}]"
            )
        return value

    def check_stage(self, value: str) -> str:
        """Take the id of a stage of any pipeline; a label is none."""
        if self.find_stage(value) is None:
            known = ", ".join(stage for p in self.all.values() for stage in p.stages)
            raise Invalid(
                "INVALID_OPTION", f"{value} was not one of the allowed options: [{known}]"
            )
        return value

    def _new_id(self) -> str:
        self._next_id += 1
        return str(self._next_id - 1)


def _metadata(probability: str) -> dict[str, str]:
    closed = float(probability) in (0.0, 1.0)
    return {"isClosed": "true" if closed else "false", "probability": probability}
