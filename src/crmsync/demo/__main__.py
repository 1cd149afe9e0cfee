"""`python -m crmsync.demo`: the main job end to end, in half a minute, on this machine alone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from crmsync.cli.screen import error_line
from crmsync.demo.story import tell
from crmsync.errors import CrmsyncError


def main() -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(prog="crmsync.demo", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier demos left")
    parser.add_argument("--folder", type=Path, default=Path(".crmsync-demo"))
    given = parser.parse_args()
    try:
        tell(given.folder.resolve(), fresh=given.fresh)
    except CrmsyncError as error:
        error_line(error.user_message)
        return 1
    except KeyboardInterrupt:
        error_line("stopped; the next demo starts from the beginning")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
