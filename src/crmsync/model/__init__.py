"""The nouns that cross rooms: what an event, a profile, an operation and a result are.

Import them from here, whichever module they are in.

Every room may import this one; it imports nothing of crmsync.
All times are aware datetimes in UTC; a name that ends in `_seconds` says its unit.
A `Value` is a field's content in crmsync's canonical form, which survives JSON unchanged;
`planning.normalise` makes it and each connector turns it into its CRM's wire format and back.
"""

from crmsync.model.conduct import (
    Quota,
    RunTrigger,
    Timing,
)
from crmsync.model.crm import (
    Account,
    Directory,
    FieldSchema,
    FieldType,
    ObjectSchema,
)
from crmsync.model.exchange import (
    Action,
    Batch,
    Failure,
    Operation,
    Outcome,
    Page,
    Record,
    Result,
)
from crmsync.model.grants import (
    KeptTokens,
    Refusal,
    Tokens,
)
from crmsync.model.ids import (
    CrmId,
    Facts,
    Fields,
    LinkId,
    ProfileId,
    RunId,
    Value,
    new_profile_id,
)
from crmsync.model.people import (
    Event,
    EventType,
    Identifier,
    IdentifierKind,
    Profile,
    ProfileKind,
    TraitSource,
)
from crmsync.model.selling import (
    Deal,
    DealPage,
    DealStatus,
    Hint,
    Owner,
    Stage,
)

__all__ = [
    "Account",
    "Action",
    "Batch",
    "CrmId",
    "Deal",
    "DealPage",
    "DealStatus",
    "Directory",
    "Event",
    "EventType",
    "Facts",
    "Failure",
    "FieldSchema",
    "FieldType",
    "Fields",
    "Hint",
    "Identifier",
    "IdentifierKind",
    "KeptTokens",
    "LinkId",
    "ObjectSchema",
    "Operation",
    "Outcome",
    "Owner",
    "Page",
    "Profile",
    "ProfileId",
    "ProfileKind",
    "Quota",
    "Record",
    "Refusal",
    "Result",
    "RunId",
    "RunTrigger",
    "Stage",
    "Timing",
    "Tokens",
    "TraitSource",
    "Value",
    "new_profile_id",
]
