"""The modules and fields a new organisation has: those that integrations meet, not all of them.

Compact on purpose: `api_name | label | data_type [length] | flags or values`. Flags: `*` system
mandatory, `+` mandatory by the layout, `!` read-only, `>Module` a lookup, `!>Module` one that is
read-only. Anything else is a list
of picklist values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from crmsync.sandbox.zoho.fields import Field, Option
from crmsync.sandbox.zoho.values import NONE

MATCH = {
    "Leads": "Email",
    "Contacts": "Email",
    "Accounts": "Account_Name",
    "Deals": "Deal_Name",
}
"""Every module, and the field by which the system finds duplicates."""

DISPLAY = {
    "Leads": "Full_Name",
    "Contacts": "Full_Name",
    "Accounts": "Account_Name",
    "Deals": "Deal_Name",
}
"""What a record is called in lookups."""

_SOURCES = (
    "Advertisement, Cold Call, Employee Referral, External Referral, Online Store, Partner, "
    "Public Relations, Sales Email Alias, Seminar Partner, Trade Show, Web Download, "
    "Web Research, Chat"
)
_INDUSTRIES = (
    "ASP (Application Service Provider), Data/Telecom OEM, ERP (Enterprise Resource Planning), "
    "Government/Military, Large Enterprise, ManagementISV, Service Provider, "
    "Small/Medium Enterprise, Systems Integrator, Wireless Industry"
)

_SYSTEM = """
    Owner | Owner | ownerlookup 120 |
    Created_By | Created By | ownerlookup 120 | !
    Modified_By | Modified By | ownerlookup 120 | !
    Created_Time | Created Time | datetime 120 | !
    Modified_Time | Modified Time | datetime 120 | !
    Last_Activity_Time | Last Activity Time | datetime 120 | !
    Description | Description | textarea 32000 |
"""

_PERSON = """
    First_Name | First Name | text 40 |
    Last_Name | Last Name | text 80 | *
    Full_Name | Full Name | text 120 | !
    Email | Email | email 100 |
    Secondary_Email | Secondary Email | email 100 |
    Phone | Phone | phone 30 |
    Mobile | Mobile | phone 30 |
    Email_Opt_Out | Email Opt Out | boolean 5 |
"""

_TABLES = {
    "Leads": _PERSON
    + f"""
    Company | Company | text 200 | +
    Title | Title | text 100 |
    Website | Website | website 255 |
    Lead_Status | Lead Status | picklist 120 | \
Attempted to Contact, Contact in Future, Contacted, Junk Lead, Lost Lead, Not Contacted, \
Pre-Qualified, Not Qualified
    Lead_Source | Lead Source | picklist 120 | {_SOURCES}
    Industry | Industry | picklist 120 | {_INDUSTRIES}
    No_of_Employees | No. of Employees | integer 9 |
    Annual_Revenue | Annual Revenue | currency 16 |
    Street | Street | text 250 |
    City | City | text 100 |
    State | State | text 100 |
    Zip_Code | Zip Code | text 30 |
    Country | Country | text 100 |
    Converted__s | Is Converted | boolean 5 | !
    Converted_Contact | Converted Contact | lookup 120 | !>Contacts
    Converted_Account | Converted Account | lookup 120 | !>Accounts
    """,
    "Contacts": _PERSON
    + f"""
    Account_Name | Account Name | lookup 120 | >Accounts
    Title | Title | text 100 |
    Department | Department | text 50 |
    Date_of_Birth | Date of Birth | date 20 |
    Lead_Source | Lead Source | picklist 120 | {_SOURCES}
    Mailing_Street | Mailing Street | text 250 |
    Mailing_City | Mailing City | text 100 |
    Mailing_State | Mailing State | text 100 |
    Mailing_Zip | Mailing Zip | text 30 |
    Mailing_Country | Mailing Country | text 100 |
    """,
    "Accounts": f"""
    Account_Name | Account Name | text 200 | *
    Website | Website | website 255 |
    Phone | Phone | phone 30 |
    Industry | Industry | picklist 120 | {_INDUSTRIES}
    Account_Type | Account Type | picklist 120 | \
Analyst, Competitor, Customer, Distributor, Integrator, Investor, Other, Partner, Press, Prospect, \
Reseller, Supplier, Vendor
    Parent_Account | Parent Account | lookup 120 | >Accounts
    Employees | Employees | integer 9 |
    Annual_Revenue | Annual Revenue | currency 16 |
    Billing_Street | Billing Street | text 250 |
    Billing_City | Billing City | text 100 |
    Billing_State | Billing State | text 100 |
    Billing_Code | Billing Code | text 30 |
    Billing_Country | Billing Country | text 100 |
    """,
    "Deals": f"""
    Deal_Name | Deal Name | text 120 | *
    Stage | Stage | picklist 120 | *
    Pipeline | Pipeline | picklist 120 | +
    Closing_Date | Closing Date | date 20 |
    Amount | Amount | currency 16 |
    Probability | Probability (%) | integer 9 |
    Account_Name | Account Name | lookup 120 | >Accounts
    Contact_Name | Contact Name | lookup 120 | >Contacts
    Type | Type | picklist 120 | Existing Business, New Business
    Lead_Source | Lead Source | picklist 120 | {_SOURCES}
    Next_Step | Next Step | text 100 |
    Stage_Modified_Time | Stage Modified Time | datetime 120 | !
    """,
}

_DECIMALS = {"currency": 2, "double": 2, "percent": 2}


def default_fields(module: str, new_id: Callable[[], str]) -> Iterator[Field]:
    """Yield the fields of a module of a new organisation."""
    for line in (_TABLES[module] + _SYSTEM).strip().splitlines():
        if line.strip():
            yield _field(line, new_id)


def _field(line: str, new_id: Callable[[], str]) -> Field:
    api_name, label, typed, more = (part.strip() for part in line.split("|"))
    data_type, length = typed.split()
    listed = more if more[:1] not in ("", "*", "+", "!", ">") else ""
    return Field(
        id=new_id(),
        api_name=api_name,
        label=label,
        data_type=data_type,
        length=int(length),
        decimal_place=_DECIMALS.get(data_type),
        system_mandatory=more == "*",
        layout_mandatory=more == "+",
        read_only=more[:1] == "!",
        options=options(listed.split(", "), new_id) if listed else (),
        lookup=more.partition(">")[2] or None,
    )


def options(texts: list[str], new_id: Callable[[], str]) -> tuple[Option, ...]:
    """Make picklist values, after the one that says nothing was chosen."""
    return tuple(Option(new_id(), text, text) for text in (NONE, *texts))
