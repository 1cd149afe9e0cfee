"""The stories, each told top to bottom: events come in, what is due goes out, schedules tick."""
