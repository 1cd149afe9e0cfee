"""HTTP in: events from any client library, what CRMs tell by webhooks, and health."""
