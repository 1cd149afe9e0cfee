"""The four CRMs of the demo, in the order in which they are shown."""

from __future__ import annotations

from crmsync.demo.crms.hubspot import HUBSPOT
from crmsync.demo.crms.pipedrive import PIPEDRIVE
from crmsync.demo.crms.salesforce import SALESFORCE
from crmsync.demo.crms.zoho import ZOHO

CRMS = (HUBSPOT, SALESFORCE, ZOHO, PIPEDRIVE)
