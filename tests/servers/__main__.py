"""Say which servers the tests would use, fetching what is missing; run by `run.py test`."""

from __future__ import annotations

import sys

from tests.servers import lookup, postgres, redis


def main() -> int:
    """Print one line per server; return 1 when one cannot be had."""
    missing = False
    for product, module in (("PostgreSQL", postgres), ("Redis", redis)):
        if lookup.given_url(module.URL_VARIABLE):
            print(f"{product} from {module.URL_VARIABLE}")
            continue
        try:
            place, origin = module.find()
        except lookup.ServerMissing as error:
            print(error, file=sys.stderr)
            missing = True
        else:
            print(f"{product} {origin}: {place}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
