"""Event -> profile, without I/O: reading calls, resolving who they are about, keeping statistics.

`sync.ingest` reads calls (`calls`, `rows`), asks the store for what `resolve.wanted` names, folds
the events into it (`resolve.fold`) and saves the outcome; `sync.push` reads a profile's `facts`.
The rules in words are in docs/identity.md.
"""
