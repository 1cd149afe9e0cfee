"""The company's users, and its pipelines with their stages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from crmsync.sandbox.pipedrive import errors
from crmsync.sandbox.pipedrive.wire import rfc3339, spaced


@dataclass(frozen=True, slots=True)
class User:
    """Somebody a record can be given to."""

    id: int
    name: str
    email: str
    active: bool = True

    def report(self, created: int, caller_id: int) -> dict[str, Any]:
        """Return it as v1 does."""
        return {
            "id": self.id,
            "name": self.name,
            "default_currency": "EUR",
            "locale": "en_US",
            "lang": 1,
            "email": self.email,
            "phone": None,
            "activated": True,
            "last_login": spaced(created),
            "created": spaced(created),
            "modified": spaced(created),
            "has_created_company": self.id == caller_id,
            "access": [{"app": "sales", "admin": self.id == caller_id, "permission_set_id": "1"}],
            "active_flag": self.active,
            "timezone_name": "Europe/London",
            "timezone_offset": "+00:00",
            "role_id": 1,
            "icon_url": None,
            "is_you": self.id == caller_id,
            "is_deleted": False,
        }


FIRST_USERS = (
    User(18_270_001, "Ada Sales", "ada.sales@company.example"),
    User(18_270_002, "Ben Closer", "ben.closer@company.example"),
    User(18_270_003, "Cleo Hunter", "cleo.hunter@company.example"),
    User(18_270_004, "Dan Gone", "dan.gone@company.example", active=False),
)
"""The administrator, two more who work here, and one who left."""


class Users:
    """The company's users."""

    def __init__(self) -> None:
        """Start with the first ones."""
        self.all: dict[int, User] = {user.id: user for user in FIRST_USERS}
        self.caller = FIRST_USERS[0]
        """Whose tokens are used: the administrator."""

    def add(self, name: str, email: str) -> User:
        """Add one."""
        user = User(max(self.all) + 1, name, email)
        self.all[user.id] = user
        return user

    def deactivate(self, user_id: int) -> None:
        """Deactivate one; what is theirs stays theirs."""
        self.all[user_id] = replace(self.all[user_id], active=False)


@dataclass(slots=True)
class Stage:
    """One stage of a pipeline."""

    id: int
    pipeline_id: int
    name: str
    order_nr: int
    probability: int
    created: int
    updated: int

    def report(self) -> dict[str, Any]:
        """Return it as v2 does."""
        return {
            "id": self.id,
            "order_nr": self.order_nr,
            "name": self.name,
            "is_deleted": False,
            "deal_probability": self.probability,
            "pipeline_id": self.pipeline_id,
            "is_deal_rot_enabled": False,
            "days_to_rotten": None,
            "add_time": rfc3339(self.created),
            "update_time": rfc3339(self.updated),
        }


@dataclass(slots=True)
class Pipeline:
    """One pipeline with its stages, in their order."""

    id: int
    name: str
    order_nr: int
    created: int
    updated: int
    stages: dict[int, Stage] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Return it as v2 does."""
        return {
            "id": self.id,
            "name": self.name,
            "order_nr": self.order_nr,
            "is_deleted": False,
            "is_deal_probability_enabled": True,
            "add_time": rfc3339(self.created),
            "update_time": rfc3339(self.updated),
        }


_FIRST_PIPELINES = {
    "Pipeline": ("Qualified", "Contact Made", "Demo Scheduled", "Proposal Made", "Negotiations"),
    "Renewals": ("Upcoming", "Offered"),
}


class Pipelines:
    """The deal pipelines; won and lost are no stages."""

    def __init__(self, now: int) -> None:
        """Make the first two."""
        self.all: dict[int, Pipeline] = {}
        self._stages_made = 0
        for pipeline_id, (name, stages) in enumerate(_FIRST_PIPELINES.items(), start=1):
            self.all[pipeline_id] = Pipeline(pipeline_id, name, pipeline_id, now, now)
            for stage in stages:
                self.add_stage(pipeline_id, stage, now)

    def add_stage(self, pipeline_id: int, name: str, now: int) -> Stage:
        """Add a stage at the end of a pipeline."""
        pipeline = self.get(pipeline_id)
        self._stages_made += 1
        order_nr = len(pipeline.stages) + 1
        stage = Stage(self._stages_made, pipeline_id, name, order_nr, 100, now, now)
        pipeline.stages[stage.id] = stage
        return stage

    def get(self, pipeline_id: int) -> Pipeline:
        """Return a pipeline; 404 where there is none."""
        if pipeline_id not in self.all:
            raise errors.not_found("pipeline")
        return self.all[pipeline_id]

    def get_stage(self, stage_id: int) -> Stage:
        """Return a stage of whatever pipeline; 404 where there is none."""
        for pipeline in self.all.values():
            if stage_id in pipeline.stages:
                return pipeline.stages[stage_id]
        raise errors.not_found("stage")

    def every_stage(self) -> list[Stage]:
        """Return the stages of all pipelines."""
        return [stage for pipeline in self.all.values() for stage in pipeline.stages.values()]
