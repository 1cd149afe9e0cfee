"""Zoho CRM, API v8: records of any module, COQL for finding them, settings for describing them."""
