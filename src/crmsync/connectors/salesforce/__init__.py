"""Salesforce: contacts, leads, accounts and any other object of an org."""
