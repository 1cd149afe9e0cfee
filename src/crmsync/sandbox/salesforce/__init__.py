"""A simulated Salesforce org: OAuth, sObjects, collections, composite, describe and SOQL."""

from __future__ import annotations

from crmsync.sandbox.salesforce.crm import Salesforce
from crmsync.sandbox.salesforce.settings import SalesforceSettings

__all__ = ["Salesforce", "SalesforceSettings"]
