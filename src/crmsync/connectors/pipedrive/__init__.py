"""Pipedrive: persons, organizations and deals, by API v2 and no SDK."""
