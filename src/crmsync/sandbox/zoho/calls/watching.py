"""Notification channels: set up, listed, replaced and taken down."""

from __future__ import annotations

from collections.abc import Callable

from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.deliveries import check_loopback
from crmsync.sandbox.http import Answer, Json
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.calls.call import MAX_PAGE, NOTHING, Call
from crmsync.sandbox.zoho.channels import EVENTS, RESOURCE, Channel, expiry
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.org import Org
from crmsync.sandbox.zoho.wire import epoch

MAX_CHANNELS = 10
MAX_TOKEN = 50
_CREATED, _DONE, _PARTLY = 201, 200, 202
_SUBSCRIBED = "Successfully subscribed for actions-watch of the given module"
_UPDATED = "Successfully updated the subscribe details"
_ENDED = "Successfully removed the subscribe details"


def list_channels(call: Call) -> Answer:
    """Describe the channels, one entry for each module that a channel tells of."""
    wanted, module = call.request.one("channel_id"), call.request.one("module")
    found = [
        {
            **_event(call.org, channel, name),
            "notify_url": channel.notify_url,
            "events": [event for event in channel.events if event.partition(".")[0] == name],
            "token": channel.token,
            "fields": None,
            "notify_on_related_action": False,
            "return_affected_field_values": channel.with_values,
        }
        for channel in call.org.channels.live()
        for name in channel.modules()
        if wanted in {None, channel.id} and module in {None, name}
    ]
    if not found:
        return Answer(NOTHING)
    info = {"per_page": MAX_PAGE, "count": len(found), "page": 1, "more_records": False}
    return Answer.of(_DONE, {"watch": found, "info": info})


def enable(call: Call) -> Answer:
    """Set channels up; one that is there already is replaced."""
    return _each(call, _CREATED, lambda given, path: _put(call, given, path, _SUBSCRIBED))


def update(call: Call) -> Answer:
    """Replace channels."""

    def one(given: Json, path: str) -> Json:
        _known(call.org, str(given.get("channel_id")))
        return _put(call, given, path, _UPDATED)

    return _each(call, _DONE, one)


def disable(call: Call) -> Answer:
    """Take channels down."""
    ids = call.names("channel_ids")
    if not ids:
        raise errors.missing_parameter("channel_ids")
    for channel_id in ids:
        _known(call.org, channel_id)
    entries = []
    for channel_id in ids:
        call.org.channels.remove(channel_id)
        entries.append(_success(_ENDED, {"channel_id": channel_id}))
    return Answer.of(_DONE, {"watch": entries})


# --- inside -------------------------------------------------------------------------------------


def _each(call: Call, status: int, one: Callable[[Json, str], Json]) -> Answer:
    entries = []
    for place, given in enumerate(call.listed("watch", MAX_CHANNELS)):
        try:
            entries.append(one(given, f"$.watch[{place}]"))
        except ApiError as error:
            entries.append(error.entry())
            status = _PARTLY
    return Answer.of(status, {"watch": entries})


def _put(call: Call, given: Json, path: str, message: str) -> Json:
    org = call.org
    for name in ("channel_id", "events", "notify_url"):
        if not given.get(name):
            raise errors.missing_member(name, f"{path}.{name}")
    channel_id, token, url = str(given["channel_id"]), given.get("token"), given["notify_url"]
    events = given["events"] if isinstance(given["events"], list) else []
    if not channel_id.isdecimal():
        raise errors.wrong_type("long", "channel_id", f"{path}.channel_id")
    for place, event in enumerate(events):
        module, _, kind = str(event).partition(".")
        if module not in org.modules or kind not in {*EVENTS, "all"}:
            raise errors.invalid_member("events", f"{path}.events[{place}]")
    if token is not None and len(token) > MAX_TOKEN:
        raise errors.invalid_member("token", f"{path}.token")
    try:
        check_loopback(url)
    except ControlError as error:
        raise errors.invalid_member("notify_url", f"{path}.notify_url", str(error)) from None
    asked = given.get("channel_expiry")
    expires_at = None if asked is None else epoch(asked, org.zone)
    if asked is not None and (expires_at is None or expires_at <= org.now()):
        raise errors.invalid_member("channel_expiry", f"{path}.channel_expiry")
    channel = Channel(
        id=channel_id,
        notify_url=url,
        token=token,
        events=tuple(events),
        expires_at=expiry(expires_at, org.now()),
        with_values=given.get("return_affected_field_values") is True,
    )
    org.channels.put(channel)
    return _success(message, {"events": [_event(org, channel, name) for name in channel.modules()]})


def _known(org: Org, channel_id: str) -> None:
    if org.channels.find(channel_id) is None:
        text = "the channel is not subscribed"
        raise ApiError(400, "NOT_SUBSCRIBED", text, channel_id=channel_id)


def _event(org: Org, channel: Channel, module: str) -> Json:
    return {
        "channel_expiry": org.iso(channel.expires_at),
        "resource_uri": RESOURCE.format(module),
        "resource_id": org.module_ids[module],
        "resource_name": module,
        "channel_id": channel.id,
        "notification_condition": [],
    }


def _success(message: str, details: Json) -> Json:
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}
