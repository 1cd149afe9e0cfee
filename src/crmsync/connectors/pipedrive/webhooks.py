"""Webhooks v2: Pipedrive says which record was changed; what it says of the record is not believed.

A delivery is not signed. It proves itself by HTTP Basic credentials that `watch` gives to Pipedrive
and that only it sends, so that neither its age nor its body proves more.
Source: pipedrive.readme.io, "Guide for webhooks v2", read 2026-11.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, NoReturn

import orjson

from crmsync.connectors.answers import UNREADABLE, Answer
from crmsync.connectors.base import Delivery, Watch, Webhooks
from crmsync.connectors.pipedrive.calls import V1, Calls, data_of, id_of
from crmsync.connectors.pipedrive.errors import Meaning, refusal_of, refuse
from crmsync.connectors.pipedrive.limits import ADD_WEBHOOK, DELETE_WEBHOOK, LIST_WEBHOOKS
from crmsync.connectors.pipedrive.objects import kind_named
from crmsync.connectors.pipedrive.wire import moment
from crmsync.errors import ConfigError, ConnectionHalted, Forged
from crmsync.model import CrmId, Hint

USER = "crmsync"
"""The user name of a delivery; the password is the connection's secret."""
PATH = "/webhooks"
LOOK_AGAIN = timedelta(days=1)
"""Pipedrive deletes a webhook that failed for three days, and tells nobody."""
ENTITIES: Mapping[str, str] = {
    "person": "persons",
    "organization": "organizations",
    "deal": "deals",
}
"""Object types by what webhooks call one record of them."""
_EVENTS = {object_type: entity for entity, object_type in ENTITIES.items()}
_STEPS: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "Pipedrive does not take the address {url}: it must be public, answer"
    " by https and not redirect. Correct `webhooks: url` in crmsync.yaml",
    HTTPStatus.FORBIDDEN: "Pipedrive does not let us set up webhooks: give the app the scope"
    " `admin`, or take the API token of an administrator, then connect anew",
    HTTPStatus.UNPROCESSABLE_ENTITY: "this user has 40 webhooks, and Pipedrive allows no more:"
    " remove some (Settings, Tools and apps, Webhooks)",
}


# --- what comes in -------------------------------------------------------------------------


def hints(webhooks: Webhooks | None, delivery: Delivery) -> list[Hint]:
    """Return which records a delivery is about; raise Forged for one that is not Pipedrive's."""
    if webhooks is None:
        raise Forged("a webhook for a connection that has none")
    _check_proof(webhooks, delivery.headers.get("authorization", ""))
    try:
        meta = orjson.loads(delivery.body)["meta"]
        return list(_hints(meta))
    except UNREADABLE:
        raise Forged("the body of a webhook has another shape than documented") from None


def _check_proof(webhooks: Webhooks, authorization: str) -> None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise Forged("a webhook without credentials")
    expected = base64.b64encode(f"{USER}:{webhooks.secret}".encode())
    if not hmac.compare_digest(encoded.strip().encode(), expected):
        raise Forged("a webhook with other credentials than ours")


def _hints(meta: Mapping[str, Any]) -> Iterator[Hint]:
    """Yield the record of an event, and the one it was merged with."""
    object_type = ENTITIES.get(meta["entity"])
    if object_type is None:
        return
    at = moment(meta["timestamp"])
    event = [meta["entity"], meta["entity_id"], meta["action"], meta["timestamp"]]
    merged_to, merged_from = meta.get("merged_to_id"), meta.get("merged_from_id")
    for crm_id, successor in (
        (meta["entity_id"], merged_to),
        (merged_to, None),
        (merged_from, meta["entity_id"]),
    ):
        if crm_id is not None:
            # Not by `meta.id`: two webhooks may tell of one event, and further attempts do.
            key = hashlib.sha256(orjson.dumps([*event, crm_id])).hexdigest()
            yield Hint(object_type, _id(crm_id), at, key, _id(successor) if successor else None)


def _id(said: object) -> CrmId:
    return CrmId(id_of({"id": said}))


# --- what Pipedrive is asked to tell --------------------------------------------------------


def watch(
    calls: Calls, webhooks: Webhooks | None, object_types: Sequence[str], now: datetime
) -> Watch:
    """Keep one webhook for each object type, as it should be; remove others of ours.

    One list (10 tokens) where all is well. Raises ConfigError for what only a person can mend.
    """
    ours = _set_up(webhooks)
    wanted = {_EVENTS[kind_named(name).name] for name in object_types}
    kept: dict[str, object] = {}
    useless = []
    for held in _held(calls, ours):
        entity = str(held.get("event_object"))
        if entity in wanted and entity not in kept and _is_right(held, ours):
            kept[entity] = held["id"]
        else:
            useless.append(held["id"])
    missing = sorted(wanted - kept.keys())
    for entity in missing:
        _add(calls, ours, entity)
    # Only now, so that no event falls between an old one and a new one.
    for webhook_id in useless:
        _delete(calls, webhook_id)
    made = f"made for {', '.join(missing)}" if missing else "all there"
    return Watch(f"Pipedrive webhooks to {ours.url}: {made}", now + LOOK_AGAIN)


def unwatch(calls: Calls, webhooks: Webhooks | None) -> None:
    """Remove every webhook of ours that leads to our address."""
    for held in _held(calls, _set_up(webhooks)):
        _delete(calls, held["id"])


def _set_up(webhooks: Webhooks | None) -> Webhooks:
    if webhooks is None:
        raise ConfigError("this connection has no `webhooks:` in crmsync.yaml")
    return webhooks


def _name(webhooks: Webhooks) -> str:
    """Return a name that changes with the secret, which Pipedrive need not show."""
    proof = hmac.new(webhooks.secret.encode(), webhooks.url.encode(), hashlib.sha256)
    return f"{USER} {proof.hexdigest()[:8]}"


def _held(calls: Calls, webhooks: Webhooks) -> list[Mapping[str, Any]]:
    try:
        listed = calls.v1_list(PATH, cost=LIST_WEBHOOKS)
    except ConnectionHalted as halted:
        if halted.cause == "missing_scope":
            raise ConfigError(_STEPS[HTTPStatus.FORBIDDEN]) from None
        raise
    return [
        one
        for one in listed
        if one.get("subscription_url") == webhooks.url
        and str(one.get("name") or "").startswith(USER)
    ]


def _is_right(held: Mapping[str, Any], webhooks: Webhooks) -> bool:
    return (
        held.get("event_action") == "*"
        and str(held.get("version")) == "2.0"
        and bool(held.get("is_active"))
        and held.get("name") == _name(webhooks)
    )


def _add(calls: Calls, webhooks: Webhooks, entity: str) -> None:
    body = {
        "subscription_url": webhooks.url,
        "event_action": "*",
        "event_object": entity,
        "name": _name(webhooks),
        "version": "2.0",
        "http_auth_user": USER,
        "http_auth_password": webhooks.secret,
    }
    answer = calls.write("POST", PATH, body, cost=ADD_WEBHOOK, route=PATH, version=V1)
    if not answer.ok:
        _refuse(calls, answer, webhooks)
    data_of(answer, "id")


def _delete(calls: Calls, webhook_id: object) -> None:
    path = f"{PATH}/{webhook_id}"
    answer = calls.write("DELETE", path, None, cost=DELETE_WEBHOOK, route=f"{PATH}/*", version=V1)
    if not answer.ok:
        refusal = refusal_of(answer, {})
        if refusal.meaning is not Meaning.GONE:
            refuse(refusal, calls.refusals)


def _refuse(calls: Calls, answer: Answer, webhooks: Webhooks) -> NoReturn:
    refusal = refusal_of(answer, {})
    steps = _STEPS.get(answer.status)
    if steps and refusal.meaning in {Meaning.RECORD, Meaning.PERMISSION, Meaning.SCOPE}:
        raise ConfigError(steps.format(url=webhooks.url))
    refuse(refusal, calls.refusals)
