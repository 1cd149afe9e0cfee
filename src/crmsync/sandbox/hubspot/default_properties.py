"""The properties a new portal has: those that integrations meet, not all of the several hundred.

Compact on purpose: `name | label | type/fieldType | options or flags`. `!` marks a property whose
value the API cannot set, `=` one that HubSpot computes, `@` a list of options kept apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from crmsync.sandbox.hubspot.properties import OWNER, Option, Property

GROUPS = {
    "contacts": {
        "contactinformation": "Contact information",
        "emailinformation": "Email information",
        "contact_activity": "Contact activity",
    },
    "companies": {"companyinformation": "Company information"},
    "deals": {"dealinformation": "Deal information", "deal_activity": "Deal activity"},
}

LIFECYCLE_STAGES = (
    "subscriber:Subscriber",
    "lead:Lead",
    "marketingqualifiedlead:Marketing Qualified Lead",
    "salesqualifiedlead:Sales Qualified Lead",
    "opportunity:Opportunity",
    "customer:Customer",
    "evangelist:Evangelist",
    "other:Other",
)
"""In the order in which a record moves forward."""

_LISTS = {
    "@lifecycle": ", ".join(LIFECYCLE_STAGES),
    "@lead_status": (
        "NEW:New, OPEN:Open, IN_PROGRESS:In Progress, OPEN_DEAL:Open Deal, "
        "UNQUALIFIED:Unqualified, ATTEMPTED_TO_CONTACT:Attempted to Contact, "
        "CONNECTED:Connected, BAD_TIMING:Bad Timing"
    ),
    "@industries": (
        "ACCOUNTING:Accounting, AIRLINES_AVIATION:Airlines/Aviation, AUTOMOTIVE:Automotive, "
        "BANKING:Banking, BIOTECHNOLOGY:Biotechnology, COMPUTER_SOFTWARE:Computer Software, "
        "CONSTRUCTION:Construction, EDUCATION_MANAGEMENT:Education Management, "
        "FINANCIAL_SERVICES:Financial Services, HOSPITAL_HEALTH_CARE:Hospital & Health Care, "
        "INFORMATION_TECHNOLOGY_AND_SERVICES:Information Technology and Services, "
        "INSURANCE:Insurance, INTERNET:Internet, "
        "MARKETING_AND_ADVERTISING:Marketing and Advertising, "
        "REAL_ESTATE:Real Estate, RETAIL:Retail, TELECOMMUNICATIONS:Telecommunications"
    ),
}
"""Options that several properties share, or that are long."""

_SHARED = """
    createdate | Create Date | datetime/date | !
    hs_object_id | Record ID | number/number | !
    hs_merged_object_ids | Merged record IDs | enumeration/checkbox | !
    hubspot_owner_id | Owner | enumeration/select | owner
    hubspot_owner_assigneddate | Owner assigned date | datetime/date | !
    hs_created_by_user_id | Created by user ID | number/number | !
    hs_updated_by_user_id | Updated by user ID | number/number | !
"""

_TABLES = {
    "contacts": """
    email | Email | string/text
    hs_additional_emails | Additional email addresses | string/text
    firstname | First Name | string/text
    lastname | Last Name | string/text
    salutation | Salutation | string/text
    phone | Phone Number | string/phonenumber
    mobilephone | Mobile Phone Number | string/phonenumber
    fax | Fax Number | string/phonenumber
    company | Company Name | string/text
    jobtitle | Job Title | string/text
    job_function | Job function | string/text
    seniority | Seniority | string/text
    website | Website URL | string/text
    address | Street Address | string/text
    city | City | string/text
    state | State/Region | string/text
    zip | Postal Code | string/text
    country | Country/Region | string/text
    industry | Industry | string/text
    numemployees | Number of Employees | enumeration/radio | \
1-5:1-5, 5-25:5-25, 25-50:25-50, 50-100:50-100, 100-500:100-500, 500-1000:500-1000, 1000+:1000+
    annualrevenue | Annual Revenue | string/text
    date_of_birth | Date of birth | string/text
    hs_language | Preferred language | enumeration/select | \
en:English, de:German, fr:French, es:Spanish, it:Italian, nl:Dutch, pt:Portuguese, ja:Japanese
    message | Message | string/textarea
    twitterhandle | Twitter Username | string/text
    hs_linkedin_url | LinkedIn URL | string/text
    lifecyclestage | Lifecycle Stage | enumeration/radio | @lifecycle
    hs_lead_status | Lead Status | enumeration/radio | @lead_status
    hs_buying_role | Buying Role | enumeration/checkbox | \
BLOCKER:Blocker, BUDGET_HOLDER:Budget Holder, CHAMPION:Champion, DECISION_MAKER:Decision Maker, \
END_USER:End User, EXECUTIVE_SPONSOR:Executive Sponsor, INFLUENCER:Influencer, OTHER:Other
    hs_marketable_status | Marketing contact status | bool/booleancheckbox | !
    hs_email_optout | Unsubscribed from all email | bool/booleancheckbox | !
    lastmodifieddate | Last Modified Date | datetime/date | !
    closedate | Close Date | datetime/date
    notes_last_contacted | Last Contacted | datetime/date | !
    num_associated_deals | Number of Associated Deals | number/number | =
    hs_email_domain | Email Domain | string/text | =
    hs_full_name_or_email | Full name or email | string/text | =
    hs_analytics_num_visits | Number of Sessions | number/number | !
    hs_analytics_num_page_views | Number of Pageviews | number/number | !
    """,
    "companies": """
    name | Company name | string/text
    domain | Company Domain Name | string/text
    website | Website URL | string/text
    phone | Phone Number | string/phonenumber
    address | Street Address | string/text
    address2 | Street Address 2 | string/text
    city | City | string/text
    state | State/Region | string/text
    zip | Postal Code | string/text
    country | Country/Region | string/text
    timezone | Time Zone | string/text
    industry | Industry | enumeration/select | @industries
    type | Type | enumeration/radio | \
PROSPECT:Prospect, PARTNER:Partner, RESELLER:Reseller, VENDOR:Vendor, OTHER:Other
    numberofemployees | Number of Employees | number/number
    annualrevenue | Annual Revenue | number/number
    description | Description | string/textarea
    founded_year | Year Founded | string/text
    is_public | Is Public | bool/booleancheckbox
    about_us | About Us | string/textarea
    linkedin_company_page | LinkedIn Company Page | string/text
    lifecyclestage | Lifecycle Stage | enumeration/radio | @lifecycle
    hs_lead_status | Lead Status | enumeration/radio | @lead_status
    hs_lastmodifieddate | Last Modified Date | datetime/date | !
    closedate | Close Date | datetime/date
    num_associated_contacts | Number of Associated Contacts | number/number | =
    """,
    "deals": """
    dealname | Deal Name | string/text
    amount | Amount | number/number
    closedate | Close Date | datetime/date
    pipeline | Pipeline | enumeration/select | external
    dealstage | Deal Stage | enumeration/radio | external
    dealtype | Deal Type | enumeration/radio | \
newbusiness:New Business, existingbusiness:Existing Business
    description | Deal Description | string/textarea
    hs_priority | Priority | enumeration/select | low:Low, medium:Medium, high:High
    closed_lost_reason | Closed Lost Reason | string/textarea
    closed_won_reason | Closed Won Reason | string/textarea
    hs_lastmodifieddate | Last Modified Date | datetime/date | !
    hs_is_closed | Is Deal Closed? | bool/booleancheckbox | =
    hs_is_closed_won | Is Closed Won | bool/booleancheckbox | =
    hs_deal_stage_probability | Deal probability | number/number | =
    num_associated_contacts | Number of Associated Contacts | number/number | =
    """,
}

DEFAULTS = {
    "contacts": (
        "createdate", "email", "firstname", "lastname", "lastmodifieddate", "hs_object_id",
    ),
    "companies": ("name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    "deals": (
        "dealname", "amount", "closedate", "pipeline", "dealstage", "createdate",
        "hs_lastmodifieddate", "hs_object_id",
    ),
}  # fmt: skip
"""What a read gives where it asks for nothing by name."""

MODIFIED = {
    "contacts": "lastmodifieddate",
    "companies": "hs_lastmodifieddate",
    "deals": "hs_lastmodifieddate",
}


def default_properties(object_type: str, created: int) -> Iterator[Property]:
    """Yield the definitions a new portal has for this object type."""
    group = next(iter(GROUPS[object_type]))
    for line in (_TABLES[object_type] + _SHARED).strip().splitlines():
        if line.strip():
            yield _definition(line, group, created)


def _definition(line: str, group: str, created: int) -> Property:
    name, label, types, *rest = (part.strip() for part in line.split("|"))
    kind, field_type = types.split("/")
    details = rest[0] if rest else ""
    flagged = details in ("!", "=")
    external = details in ("owner", "external")
    return Property(
        name=name,
        label=label,
        type=kind,
        field_type=field_type,
        group=group,
        options=_options(kind, "" if flagged or external else details),
        unique=name == "email",
        read_only=flagged,
        calculated=details == "=",
        defined_by_hubspot=True,
        external_options=external,
        referenced_type=OWNER if details == "owner" else None,
        form_field=not flagged,
        created=created,
        updated=created,
    )


def _options(kind: str, listed: str) -> tuple[Option, ...]:
    if kind == "bool":
        return (Option("true", "True", display_order=0), Option("false", "False", display_order=1))
    pairs = (pair.rpartition(":") for pair in _LISTS.get(listed, listed).split(", ") if pair)
    return tuple(
        Option(value, label, display_order=place) for place, (value, _, label) in enumerate(pairs)
    )
