"""Who sells and how: the account's users, and the pipelines that its deals go through.

Deals name their pipeline and stage by text. In an account with translations that may be what people
see, not what Zoho keeps; `Pipelines.find` takes both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmsync.connectors.answers import UNREADABLE, name_in
from crmsync.connectors.paging import Pages
from crmsync.connectors.zoho.api import Api
from crmsync.connectors.zoho.fields import DEALS, STATUSES
from crmsync.connectors.zoho.modules import (
    DOUBTED_SECONDS,
    LAYOUTS,
    REMEMBERED_SECONDS,
    SETTINGS,
)
from crmsync.errors import BatchRejected, ConfigError, Unavailable
from crmsync.model import DealStatus, Owner, Stage

PIPELINES, USERS = "/crm/v8/settings/pipeline", "/crm/v8/users"
USER_TYPES = ("AllUsers", "DeletedUsers")
"""All but the deleted, and these: they still own what was theirs."""
USERS_A_PAGE = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of one pipeline, and what it says of a deal."""

    stage: Stage
    status: DealStatus


class Pipelines:
    """The pipelines of all layouts of deals, remembered for a while. Safe for many threads."""

    def __init__(self, api: Api) -> None:
        """Know nothing yet."""
        self._api = api
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._steps: list[Step] = []
        self._by_text: dict[tuple[str, str], Step] = {}

    def stages(self) -> list[Stage]:
        """Return every stage of every pipeline, as it is now."""
        with self._lock:
            self._read()
            return [step.stage for step in self._steps]

    def find(self, pipeline: str, stage: str) -> Step | None:
        """Return a stage by the texts that a deal shows; one of the name elsewhere will do.

        One that is not known is looked for anew, at most every few minutes; None where it is gone.
        """
        with self._lock:
            if self._age() > REMEMBERED_SECONDS:
                self._read()
            if self._found(pipeline, stage) is None and self._age() > DOUBTED_SECONDS:
                self._read()
            return self._found(pipeline, stage)

    def _found(self, pipeline: str, stage: str) -> Step | None:
        return self._by_text.get((pipeline, stage)) or self._by_text.get(("", stage))

    def _age(self) -> float:
        return float("inf") if self._read_at is None else time.monotonic() - self._read_at

    def _read(self) -> None:
        steps: list[Step] = []
        by_text: dict[tuple[str, str], Step] = {}
        layouts = _read(self._api, LAYOUTS, {"module": DEALS}, "layouts")
        try:
            for layout in layouts:
                if layout.get("status") != "inactive":
                    params = {"layout_id": str(layout["id"])}
                    for pipeline in _read(self._api, PIPELINES, params, "pipeline"):
                        steps += _steps(pipeline, by_text)
        except UNREADABLE:
            raise _unreadable(PIPELINES) from None
        self._steps = list({(s.stage.pipeline_id, s.stage.id): s for s in steps}.values())
        self._by_text = by_text
        self._read_at = time.monotonic()


def owners(api: Api) -> list[Owner]:
    """Return the account's users, also those who left or were deleted."""
    found: dict[str, Owner] = {}
    for kind in USER_TYPES:
        number, more, pages = 1, True, Pages(USERS)
        while more:
            params = {"type": kind, "page": str(number), "per_page": str(USERS_A_PAGE)}
            payload = api.read(USERS, params=params, needs="ZohoCRM.users.READ") or {}
            try:
                page = [_owner(user) for user in payload.get("users") or ()]
                more = bool(page) and (payload.get("info") or {}).get("more_records") is True
            except UNREADABLE:
                raise _unreadable(USERS) from None
            found |= {owner.id: owner for owner in page}
            number += 1
            pages.turn(page[-1].id if page else None, len(page))
    return list(found.values())


def _owner(user: Mapping[str, Any]) -> Owner:
    return Owner(
        id=name_in(user["id"]),
        email=str(user.get("email") or ""),
        name=str(user.get("full_name") or user.get("name") or ""),
        is_active=user.get("status") == "active",
    )


def _steps(pipeline: Mapping[str, Any], by_text: dict[tuple[str, str], Step]) -> list[Step]:
    """Return the stages of a pipeline; note each by all texts that deals may show."""
    steps = []
    for place, told in enumerate(pipeline["maps"] or ()):
        stage = Stage(
            id=name_in(told["actual_value"]),
            label=str(told["display_value"]),
            pipeline_id=name_in(pipeline["id"]),
            pipeline=str(pipeline["display_value"]),
            position=place,
        )
        step = Step(stage, STATUSES.get(str(told.get("forecast_type")), DealStatus.OPEN))
        steps.append(step)
        for of in (str(pipeline["actual_value"]), stage.pipeline, ""):
            for text in (stage.id, stage.label):
                by_text.setdefault((of, text), step)
    return steps


def _read(
    api: Api, path: str, params: Mapping[str, str], member: str
) -> Sequence[Mapping[str, Any]]:
    try:
        payload = api.read(path, params=params, needs=SETTINGS) or {}
    except BatchRejected as refusal:
        raise ConfigError(
            f"Zoho does not tell the stages of deals ({refusal.code}): see that the account has"
            " the module Deals"
        ) from refusal
    return payload.get(member) or ()


def _unreadable(path: str) -> Exception:
    return Unavailable(f"GET {path}: the answer has another shape than documented")
