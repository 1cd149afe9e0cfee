"""The stories, each told top to bottom: an event comes in, what is due goes out, a schedule ticks."""
