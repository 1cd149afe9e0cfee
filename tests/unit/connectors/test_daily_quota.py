"""What each CRM's headers say is left of the day."""

from __future__ import annotations

import pytest

from crmsync.connectors.answers import DailyQuota
from crmsync.connectors.hubspot.connector import SITE as HUBSPOT
from crmsync.connectors.pipedrive.connector import SITE as PIPEDRIVE
from crmsync.connectors.salesforce.connector import SITE as SALESFORCE
from crmsync.connectors.zoho.api import SITE as ZOHO

USAGE = "Sforce-Limit-Info"


@pytest.mark.parametrize(
    ("site", "headers", "quota"),
    [
        (
            HUBSPOT,
            {"X-HubSpot-RateLimit-Daily-Remaining": "7", "X-HubSpot-RateLimit-Daily": "250000"},
            DailyQuota(7, 250_000),
        ),
        (HUBSPOT, {"X-HubSpot-RateLimit-Daily-Remaining": "7"}, DailyQuota(7)),
        (
            PIPEDRIVE,
            {
                "x-daily-ratelimit-token-remaining": "30",
                "x-daily-ratelimit-token-limit": "30000",
            },
            DailyQuota(30, 30_000),
        ),
        (ZOHO, {"X-API-CREDITS-REMAINING": "2400"}, DailyQuota(2400)),
        (ZOHO, {"X-API-CREDITS-REMAINING": "-1"}, None),
        (SALESFORCE, {USAGE: "api-usage=18/5000"}, DailyQuota(4982, 5000)),
        (
            SALESFORCE,
            {USAGE: "api-usage=25/5000; per-app-api-usage=17/250(appName=x)"},
            DailyQuota(4975, 5000),
        ),
        (SALESFORCE, {USAGE: "per-app-api-usage=17/250(appName=x)"}, None),
        (SALESFORCE, {USAGE: "api-usage=6000/5000"}, DailyQuota(0, 5000)),
        *((site, {}, None) for site in (HUBSPOT, PIPEDRIVE, ZOHO, SALESFORCE)),
    ],
)
def test_what_is_left_of_the_day_is_read(site, headers, quota):
    """Where the CRM says so, and as far as it does."""
    assert site.quota_in(headers) == quota
