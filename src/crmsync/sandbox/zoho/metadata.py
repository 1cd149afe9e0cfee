"""How the settings API describes modules, fields, layouts, pipelines, users and the organisation.

Most members of Zoho's answers matter to its own pages only: those are in `idle_members`.
"""

from __future__ import annotations

from crmsync.sandbox.zoho.default_fields import DISPLAY
from crmsync.sandbox.zoho.fields import LOOKUP_TYPES, Field
from crmsync.sandbox.zoho.idle_members import FIELD_MEMBERS, MODULE_MEMBERS, Report
from crmsync.sandbox.zoho.org import Org
from crmsync.sandbox.zoho.sales import Stage, User

_JSON_TYPES = {
    **dict.fromkeys(LOOKUP_TYPES, "jsonobject"),
    "multiselectpicklist": "jsonarray",
    "integer": "integer",
    "currency": "double",
    "double": "double",
    "percent": "double",
    "boolean": "boolean",
}


def field_report(org: Org, module: str, field: Field) -> Report:
    """Describe a field."""
    created = org.iso(field.created) if field.custom else None
    writable = not field.read_only
    return {
        **FIELD_MEMBERS,
        "id": field.id,
        "api_name": field.api_name,
        "field_label": field.label,
        "display_label": field.label,
        "column_name": field.api_name.upper(),
        "data_type": field.data_type,
        "json_type": _JSON_TYPES.get(field.data_type, "string"),
        "length": field.length,
        "decimal_place": field.decimal_place,
        "system_mandatory": field.system_mandatory,
        "read_only": field.read_only,
        "field_read_only": field.read_only,
        "custom_field": field.custom,
        "created_source": "default" if not field.custom else "api",
        "created_time": created,
        "modified_time": created,
        "display_field": DISPLAY[module] == field.api_name,
        "filterable": field.data_type != "textarea",
        "sortable": field.data_type not in ("textarea", "multiselectpicklist"),
        "unique": {"casesensitive": str(field.case_sensitive).lower()} if field.unique else {},
        "external": None,
        "lookup": _lookup(org, field),
        "pick_list_values": _options(org, field),
        "operation_type": {
            "web_update": writable,
            "api_create": writable,
            "web_create": writable,
            "api_update": writable,
        },
        "associated_module": None,
        "layout_associations": [
            {"api_name": "Standard", "name": "Standard", "id": org.layout_ids[module]}
        ],
        "profiles": [],
    }


def module_report(org: Org, module: str) -> Report:
    """Describe a module."""
    place = list(org.modules).index(module)
    display = org.modules[module].fields.find(DISPLAY[module])
    return {
        **MODULE_MEMBERS,
        "id": org.module_ids[module],
        "api_name": module,
        "module_name": module,
        "singular_label": module.removesuffix("s"),
        "plural_label": module,
        "generated_type": "default",
        "sequence_number": place + 1,
        "api_supported": True,
        "creatable": True,
        "editable": True,
        "deletable": True,
        "convertable": module == "Leads",
        "display_field": {"api_name": display.api_name, "id": display.id} if display else None,
    }


def layout_report(org: Org, module: str) -> Report:
    """Describe the one layout of a module; `required` is what the layout makes of each field."""
    made = org.iso(org.created)
    fields = [
        {**field_report(org, module, field), "required": field.mandatory, "sequence_number": place}
        for place, field in enumerate(org.modules[module].fields.all.values(), 1)
    ]
    section = {
        "id": org.layout_ids[module],
        "api_name": f"{module}_Information",
        "name": f"{module} Information",
        "display_label": f"{module} Information",
        "sequence_number": 1,
        "isSubformSection": False,
        "tab_traversal": "left_to_right",
        "column_count": 2,
        "generated_type": "default",
        "type": "used",
        "fields": fields,
        "properties": None,
    }
    return {
        "id": org.layout_ids[module],
        "api_name": "Standard",
        "name": "Standard",
        "display_label": "Standard",
        "display_type": 1,
        "has_more_profiles": False,
        "created_time": made,
        "modified_time": made,
        "created_by": None,
        "modified_by": None,
        "created_for": None,
        "visible": True,
        "status": "active",
        "source": "crm",
        "mode": "default",
        "generated_type": "default",
        "show_business_card": True,
        "convert_mapping": None,
        "profiles": [],
        "sections": [section],
        "actions_allowed": None,
    }


def pipeline_reports(org: Org) -> list[Report]:
    """Describe the pipelines and their stages."""
    return [
        {
            "id": pipeline.id,
            "display_value": pipeline.name,
            "actual_value": pipeline.name,
            "default": pipeline.default,
            "child_available": False,
            "maps": [
                {
                    "id": stage.id,
                    "display_value": stage.display,
                    "actual_value": stage.actual,
                    "sequence_number": place,
                    **_outlook(stage),
                    "colour_code": "#dcdcdc",
                }
                for place, stage in enumerate(pipeline.stages, 1)
            ],
        }
        for pipeline in org.pipelines.all.values()
    ]


def user_report(org: Org, user: User) -> Report:
    """Describe a user."""
    return {
        **user.owner(),
        "full_name": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "status": user.status,
        "zuid": user.zuid,
        "confirm": True,
        "role": {"name": "CEO", "id": org.module_ids["Leads"]},
        "profile": {"name": user.profile, "id": org.module_ids["Deals"]},
        "created_time": org.iso(user.created),
        "Modified_Time": org.iso(user.modified),
        "time_zone": org.settings.time_zone,
        "locale": "en_US",
    }


def org_report(org: Org) -> Report:
    """Describe the organisation."""
    nothing = dict.fromkeys(
        ("photo_id", "city", "description", "street", "alias", "state", "fax", "zip", "mobile",
         "zia_portal_id")
    )  # fmt: skip
    return {
        **nothing,
        "id": org.module_ids["Accounts"],
        "zgid": "60000000001",
        "ezgid": "sandbox",
        "company_name": "Sandbox",
        "primary_email": org.users.current.email,
        "primary_zuid": org.users.current.zuid,
        "domain_name": "org60000000001",
        "country": "IN",
        "country_code": "IN",
        "currency": "Euro - EUR",
        "currency_symbol": "\u20ac",
        "currency_locale": "de_DE",
        "iso_code": "EUR",
        "phone": "",
        "time_zone": org.settings.time_zone,
        "type": "Sandbox",
        "created_time": org.iso(org.created),
        "max_per_page": 200,
        "mc_status": False,
        "gapps_enabled": False,
        "translation_enabled": False,
        "deletable_org_account": True,
        "privacy_settings": False,
        "hipaa_compliance_enabled": False,
        "lite_users_enabled": False,
        "call_icon": "call",
        "oauth_presence": True,
        "zia_zgid": 0,
        "license_details": {
            "paid_expiry": org.iso(org.created + 365 * 86_400),
            "users_license_purchased": org.settings.users,
            "trial_type": None,
            "trial_expiry": None,
            "paid": org.settings.tier != "free",
            "paid_type": org.settings.tier,
            "trial_action": "none",
        },
        "hierarchy_preferences": {"type": "Role_Hierarchy", "strictly_reporting": False},
        "checkin_preferences": {"restricted_event_types": None},
    }


def _lookup(org: Org, field: Field) -> Report:
    if field.lookup is None:
        return {}
    return {
        "display_label": field.label,
        "api_name": None,
        "module": {"api_name": field.lookup, "id": org.module_ids[field.lookup]},
        "id": field.id,
    }


def _options(org: Org, field: Field) -> list[Report]:
    stages = org.pipelines.stages if field.api_name == "Stage" else {}
    return [
        {
            **(_outlook(stages[option.actual]) if option.actual in stages else {}),
            "id": option.id,
            "display_value": option.display,
            "actual_value": option.actual,
            "reference_value": option.actual,
            "sequence_number": place,
            "colour_code": None,
            "type": "used" if option.used else "unused",
        }
        for place, option in enumerate(org.checks.options(field), 1)
    ]


def _outlook(stage: Stage) -> Report:
    category = {"Open": "Pipeline", "Closed Won": "Closed", "Closed Lost": "Omitted"}
    return {
        "forecast_category": {"name": category[stage.forecast_type], "id": stage.id},
        "forecast_type": stage.forecast_type,
    }
