"""HubSpot: contacts, companies, deals and custom objects."""
