"""A simulated Zoho CRM organisation: API v8 records, COQL, settings, users, and Zoho's OAuth."""

from __future__ import annotations

from crmsync.sandbox.zoho.crm import Zoho
from crmsync.sandbox.zoho.settings import ZohoSettings

__all__ = ["Zoho", "ZohoSettings"]
