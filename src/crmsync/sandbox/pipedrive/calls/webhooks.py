"""Subscriptions to webhooks, which only v1 has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.deliveries import check_loopback
from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive.calls.call import Call, Json
from crmsync.sandbox.pipedrive.webhooks import ACTIONS, MAX_PER_USER, OBJECTS, Webhook
from crmsync.sandbox.pipedrive.wire import rfc3339

_MAX_NAME = 255
_REQUIRED = ("subscription_url", "event_action", "event_object", "name")


def list_webhooks(call: Call) -> Answer:
    """Return all of the user's webhooks, without pages."""
    held = [_shown(call, webhook) for webhook in call.company.webhooks.all.values()]
    data = None if not held and call.company.settings.empty_v1_lists_null else held
    return Answer.of(200, {"status": "ok", "success": True, "data": data})


def create(call: Call) -> Answer:
    """Subscribe an address. One that is sent twice is there twice."""
    webhooks = call.company.webhooks
    wrong = _wrong(call.body)
    if wrong:
        return _refused(400, wrong)
    if len(webhooks.all) >= MAX_PER_USER:
        return _refused(422, {"user_id": ["has reached the limit of webhooks"]})
    made = webhooks.add(call.body)
    return Answer.of(201, {"status": "ok", "success": True, "data": _shown(call, made)})


def delete(call: Call) -> Answer:
    """Unsubscribe."""
    if call.company.webhooks.all.pop(call.id, None) is None:
        return _refused(404, {"id": ["not found"]})
    return Answer.of(200, {"status": "ok", "success": True})


def _wrong(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong with each part of a body."""
    wrong = {key: ["is required"] for key in _REQUIRED if not isinstance(body.get(key), str)}
    if wrong:
        return wrong
    if body["event_action"] not in ACTIONS:
        wrong["event_action"] = ["is invalid"]
    if body["event_object"] not in OBJECTS:
        wrong["event_object"] = ["is invalid"]
    if body.get("version", "2.0") not in ("1.0", "2.0"):
        wrong["version"] = ["is invalid"]
    if len(body["name"]) > _MAX_NAME:
        wrong["name"] = ["is too long"]
    try:
        check_loopback(body["subscription_url"])
    except ControlError:
        wrong["subscription_url"] = ["invalid or non-reachable URL"]
    return wrong


def _refused(status: int, wrong: Mapping[str, list[str]]) -> Answer:
    return Answer.of(status, {"status": "error", "success": False, "errors": dict(wrong)})


def _shown(call: Call, webhook: Webhook) -> Json:
    company = call.company
    user_id = company.users.caller.id
    last = webhook.last_time
    return {
        "id": webhook.id,
        "company_id": company.settings.company_id,
        "owner_id": user_id,
        "user_id": user_id,
        "admin_id": user_id,
        "event_action": webhook.action,
        "event_object": webhook.entity,
        "subscription_url": webhook.url,
        "name": webhook.name,
        "version": webhook.version,
        "is_active": int(webhook.banned_until <= company.clock.time()),
        "add_time": rfc3339(webhook.created),
        "remove_time": None,
        "remove_reason": None,
        "type": "general",
        "http_auth_user": webhook.user,
        # Whether Pipedrive shows it is not documented.
        "http_auth_password": None,
        "last_delivery_time": rfc3339(last) if last is not None else None,
        "last_http_status": webhook.last_status,
    }
