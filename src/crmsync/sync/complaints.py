"""What the log says of what was read and not taken, and what a person does about it."""

from __future__ import annotations

from collections.abc import Iterable

from crmsync.mapping.compiled import PullField
from crmsync.mapping.values import Unusable
from crmsync.model import CrmId, Failure
from crmsync.store.failing import DUPLICATE


def unknown_name(pull: PullField) -> Failure:
    """Return why a field that holds an id was not read back."""
    return Failure(
        code="UNKNOWN_NAME",
        message=f"{pull.name} holds an id that the CRM's owners and stages do not have",
        hint="it was removed in the CRM, or our access does not show it; the trait stays as it was",
        field=pull.name,
    )


def unusable(pull: PullField, reason: Unusable) -> Failure:
    """Return why a field's value makes no trait."""
    return Failure(
        code="CANNOT_READ_BACK",
        message=f"{pull.name}: {reason}",
        hint=f"correct the value in the CRM, or the mapping at {pull.place}",
        field=pull.name,
    )


def email_taken(pull: PullField) -> Failure:
    """Return why an e-mail was not taken."""
    return Failure(
        code="EMAIL_TAKEN",
        message="the e-mail in the CRM is another profile's; it was not taken",
        hint="the two profiles may be one person: send an alias, or correct one of the records",
        field=pull.name,
    )


def drift(drifted: Iterable[str]) -> Failure:
    """Return what is told of fields of ours that somebody else changed; not none."""
    names = sorted(drifted)
    return Failure(
        code="DRIFT",
        message=f"somebody changed {', '.join(names)} in the CRM, which the mapping owns",
        hint="it is overwritten when our value changes; `drift: reassert` overwrites it at once, "
        "`conflict: newest` lets the CRM win",
        field=names[0],
    )


def duplicate(crm_id: CrmId, linked: CrmId, name: str) -> Failure:
    """Return what is told of a record that is nobody's and has somebody's key."""
    return Failure(
        code=DUPLICATE,
        message=f"record {crm_id} has the same {name} as record {linked}, which is this profile's",
        hint="merge the two in the CRM, or correct the key of the one that is somebody else's; "
        "`on_duplicate: merge` in the mapping has them merged where the CRM can",
        field=name,
    )


def frozen(name: str) -> Failure:
    """Return what is told of a field that both sides leave alone from now on."""
    return Failure(
        code="FROZEN",
        message=f"{name} went back and forth between two values: both sides leave it alone",
        hint="something in the CRM rewrites what we write. Let one side own the field "
        "(`conflict: theirs`, or drop it from the mapping), then `crmsync replay`",
        field=name,
    )
