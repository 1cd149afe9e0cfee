"""HTTP in: events from any client library of the tracking specification, and health."""
