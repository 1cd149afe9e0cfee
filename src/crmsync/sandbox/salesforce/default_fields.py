"""The standard objects: their names, id prefixes and fields.

Required, types and prefixes as the object reference has them; picklists are those of a new org,
and restricted, which an administrator can switch either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox.salesforce.fields import Field, FieldType, Option
from crmsync.sandbox.salesforce.wire import API_USER_ID

STAGES = (
    ("Prospecting", 10, "Pipeline"),
    ("Qualification", 10, "Pipeline"),
    ("Needs Analysis", 20, "Pipeline"),
    ("Value Proposition", 50, "Pipeline"),
    ("Proposal/Price Quote", 75, "Pipeline"),
    ("Negotiation/Review", 90, "Pipeline"),
    ("Closed Won", 100, "Closed"),
    ("Closed Lost", 0, "Omitted"),
)
"""Label, probability in percent and forecast category of each stage."""

_LEAD_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
_LEAD_STATUSES = (
    "Open - Not Contacted",
    "Working - Contacted",
    "Closed - Converted",
    "Closed - Not Converted",
)
_INDUSTRIES = ("Agriculture", "Banking", "Consulting", "Education", "Retail", "Technology", "Other")
_ROLES = ("Business User", "Decision Maker", "Economic Buyer", "Evaluator", "Influencer", "Other")


@dataclass(frozen=True, slots=True)
class Kind:
    """A standard object type."""

    name: str
    plural: str
    prefix: str
    """First characters of its ids."""
    fields: tuple[Field, ...]
    writable: bool = True
    """Whether the API creates and changes its records."""


def text(name: str, label: str, length: int = 255, **more: Any) -> Field:  # noqa: ANN401
    """Make a field that holds text."""
    return Field(name=name, label=label, length=length, **more)


def _typed(name: str, label: str, kind: FieldType, length: int = 0, **more: Any) -> Field:  # noqa: ANN401
    return Field(name=name, label=label, type=kind, length=length, **more)


def _computed(name: str, label: str, kind: FieldType = "string", length: int = 0) -> Field:
    return Field(
        name=name, label=label, type=kind, length=length, createable=False, updateable=False
    )


def _flag(name: str, label: str, **more: Any) -> Field:  # noqa: ANN401
    return Field(name=name, label=label, type="boolean", nillable=False, default=False, **more)


def _computed_flag(name: str, label: str) -> Field:
    return _flag(name, label, createable=False, updateable=False)


def _reference(
    name: str, label: str, relationship: str, *refers_to: str, required: bool = False,
    **more: Any,  # noqa: ANN401
) -> Field:  # fmt: skip
    return Field(
        name=name, label=label, type="reference", length=18, relationship=relationship,
        refers_to=refers_to, nillable=not required, **more,
    )  # fmt: skip


def _computed_reference(name: str, label: str, relationship: str, *refers_to: str) -> Field:
    return _reference(name, label, relationship, *refers_to, createable=False, updateable=False)


def _picklist(name: str, label: str, values: Sequence[str], **more: Any) -> Field:  # noqa: ANN401
    default = more.get("default")
    options = tuple(Option(value=v, label=v, default=v == default) for v in values)
    return Field(
        name=name, label=label, type="picklist", length=255, options=options, restricted=True,
        **more,
    )  # fmt: skip


def _address(prefix: str, label: str) -> tuple[Field, ...]:
    compound = f"{prefix}Address"
    parts: tuple[tuple[str, FieldType, int], ...] = (
        ("Street", "textarea", 255), ("City", "string", 40), ("State", "string", 80),
        ("PostalCode", "string", 20), ("Country", "string", 80),
    )  # fmt: skip
    columns = tuple(
        Field(
            name=f"{prefix}{part}", label=f"{label}{part}".strip(), type=kind, length=length,
            compound=compound,
        )
        for part, kind, length in parts
    )  # fmt: skip
    return (*columns, _computed(compound, f"{label}Address", "address"))


SYSTEM_FIELDS = (
    Field(name="Id", label="Record ID", type="id", length=18, nillable=False,
          createable=False, updateable=False),
    _computed_flag("IsDeleted", "Deleted"),
    _computed("CreatedDate", "Created Date", "datetime"),
    _computed_reference("CreatedById", "Created By ID", "CreatedBy", "User"),
    _computed("LastModifiedDate", "Last Modified Date", "datetime"),
    _computed_reference("LastModifiedById", "Last Modified By ID", "LastModifiedBy", "User"),
    _computed("SystemModstamp", "System Modstamp", "datetime"),
)  # fmt: skip
"""What every object has."""

_OWNER = _reference("OwnerId", "Owner ID", "Owner", "User", required=True, default=API_USER_ID)
_OWNER_OF_LEADS = _reference(
    "OwnerId", "Owner ID", "Owner", "User", "Group", required=True, default=API_USER_ID
)
_PERSON = (
    text("LastName", "Last Name", 80, nillable=False),
    text("FirstName", "First Name", 40),
    text("Salutation", "Salutation", 40),
    _computed("Name", "Full Name", "string", 121),
    _typed("Email", "Email", "email", 80, id_lookup=True),
    _typed("Phone", "Business Phone", "phone", 40),
    _typed("MobilePhone", "Mobile Phone", "phone", 40),
    text("Title", "Title", 128),
    _picklist("LeadSource", "Lead Source", _LEAD_SOURCES),
    _typed("Description", "Description", "textarea", 32_000),
    _flag("HasOptedOutOfEmail", "Email Opt Out"),
)

CONTACT = Kind("Contact", "Contacts", "003", (
    *SYSTEM_FIELDS,
    *_PERSON,
    _OWNER,
    _computed_reference("MasterRecordId", "Master Record ID", "MasterRecord", "Contact"),
    _reference("AccountId", "Account ID", "Account", "Account"),
    text("Department", "Department", 80),
    _typed("Birthdate", "Birthdate", "date"),
    _computed("EmailBouncedDate", "Email Bounced Date", "datetime"),
    *_address("Mailing", "Mailing "),
))  # fmt: skip

LEAD = Kind("Lead", "Leads", "00Q", (
    *SYSTEM_FIELDS,
    *_PERSON,
    _OWNER_OF_LEADS,
    _computed_reference("MasterRecordId", "Master Record ID", "MasterRecord", "Lead"),
    text("Company", "Company", nillable=False),
    _picklist("Status", "Status", _LEAD_STATUSES, nillable=False, default=_LEAD_STATUSES[0]),
    _picklist("Industry", "Industry", _INDUSTRIES),
    _typed("Website", "Website", "url", 255),
    *_address("", ""),
    _computed_flag("IsConverted", "Converted"),
    _computed("ConvertedDate", "Converted Date", "date"),
    _computed_reference("ConvertedAccountId", "Converted Account ID", "ConvertedAccount",
                        "Account"),
    _computed_reference("ConvertedContactId", "Converted Contact ID", "ConvertedContact",
                        "Contact"),
    _computed_reference("ConvertedOpportunityId", "Converted Opportunity ID",
                        "ConvertedOpportunity", "Opportunity"),
))  # fmt: skip

ACCOUNT = Kind("Account", "Accounts", "001", (
    *SYSTEM_FIELDS,
    _computed_reference("MasterRecordId", "Master Record ID", "MasterRecord", "Account"),
    text("Name", "Account Name", 255, nillable=False),
    _reference("ParentId", "Parent Account ID", "Parent", "Account"),
    _typed("Phone", "Account Phone", "phone", 40),
    _typed("Website", "Website", "url", 255),
    _picklist("Industry", "Industry", _INDUSTRIES),
    _typed("AnnualRevenue", "Annual Revenue", "currency", precision=18, scale=0),
    _typed("NumberOfEmployees", "Employees", "int", precision=8),
    _typed("Description", "Description", "textarea", 32_000),
    *_address("Billing", "Billing "),
    _OWNER,
))  # fmt: skip

OPPORTUNITY = Kind("Opportunity", "Opportunities", "006", (
    *SYSTEM_FIELDS,
    text("Name", "Name", 120, nillable=False),
    _picklist("StageName", "Stage", [stage[0] for stage in STAGES], nillable=False),
    _typed("CloseDate", "Close Date", "date", nillable=False),
    _typed("Amount", "Amount", "currency", precision=18, scale=2),
    _typed("Probability", "Probability (%)", "percent", precision=3),
    _computed("ForecastCategoryName", "Forecast Category", "string", 40),
    _reference("AccountId", "Account ID", "Account", "Account"),
    _reference("ContactId", "Contact ID", "Contact", "Contact", updateable=False),
    _picklist("LeadSource", "Lead Source", _LEAD_SOURCES),
    _computed_flag("IsClosed", "Closed"),
    _computed_flag("IsWon", "Won"),
    _computed("LastStageChangeDate", "Last Stage Change Date", "datetime"),
    _OWNER,
))  # fmt: skip

CONTACT_ROLE = Kind("OpportunityContactRole", "Opportunity Contact Roles", "00K", (
    *SYSTEM_FIELDS,
    _reference("OpportunityId", "Opportunity ID", "Opportunity", "Opportunity", required=True,
               updateable=False),
    _reference("ContactId", "Contact ID", "Contact", "Contact", required=True),
    _picklist("Role", "Role", _ROLES),
    _flag("IsPrimary", "Primary"),
))  # fmt: skip

USER = Kind("User", "Users", "005", (
    *SYSTEM_FIELDS,
    text("Username", "Username", 80, nillable=False, unique=True),
    text("LastName", "Last Name", 80, nillable=False),
    text("FirstName", "First Name", 40),
    _computed("Name", "Full Name", "string", 121),
    _typed("Email", "Email", "email", 128, nillable=False),
    _flag("IsActive", "Active"),
    text("FederationIdentifier", "SAML Federation ID", 512, unique=True, case_sensitive=True),
    text("ProfileId", "Profile ID", 18),
    text("UserRoleId", "Role ID", 18),
), writable=False)  # fmt: skip

GROUP = Kind("Group", "Groups", "00G", (
    *SYSTEM_FIELDS,
    text("Name", "Name", 40, nillable=False),
    _picklist("Type", "Type", ("Regular", "Queue"), nillable=False, default="Regular"),
    _typed("Email", "Email", "email", 255),
), writable=False)  # fmt: skip

STAGE = Kind("OpportunityStage", "Opportunity Stages", "01J", (
    *SYSTEM_FIELDS,
    text("MasterLabel", "Master Label"),
    text("ApiName", "API Name"),
    _flag("IsActive", "Is Active"),
    _flag("IsClosed", "Closed"),
    _flag("IsWon", "Won"),
    _typed("SortOrder", "Sort Order", "int"),
    _typed("DefaultProbability", "Default Probability (%)", "percent", precision=3),
    text("ForecastCategoryName", "Forecast Category", 40),
), writable=False)  # fmt: skip

ORGANIZATION = Kind("Organization", "Organizations", "00D", (
    *SYSTEM_FIELDS,
    text("Name", "Name", 80, nillable=False),
    text("OrganizationType", "Edition", 40),
    _flag("IsSandbox", "Is Sandbox"),
), writable=False)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Child:
    """A relationship from a record to those that belong to it."""

    relationship: str
    object_type: str
    reference: str
    """The child's field that names its parent."""


CHILDREN: Mapping[str, tuple[Child, ...]] = {
    "Account": (
        Child("Contacts", "Contact", "AccountId"),
        Child("Opportunities", "Opportunity", "AccountId"),
    ),
    "Contact": (Child("OpportunityContactRoles", "OpportunityContactRole", "ContactId"),),
    "Opportunity": (Child("OpportunityContactRoles", "OpportunityContactRole", "OpportunityId"),),
}
"""What is deleted with a record, and follows it in a merge."""
KINDS = (ORGANIZATION, USER, GROUP, STAGE, ACCOUNT, CONTACT, LEAD, OPPORTUNITY, CONTACT_ROLE)
