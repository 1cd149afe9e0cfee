"""The only room that speaks SQL: profiles, links, runs and schedules on PostgreSQL or SQLite."""
