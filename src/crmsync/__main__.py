"""`python -m crmsync`: the same as `crmsync`."""

from __future__ import annotations

from crmsync.cli import main

if __name__ == "__main__":
    main()
