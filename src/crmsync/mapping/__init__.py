"""What a person writes about the CRM: crmsync.yaml and one file per mapping, read and compiled.

In: text, the environment, the names of known facts. Out: a frozen `Configuration`, and for each
profile's facts the record its CRM should hold, and for what the CRM holds the traits it says.
Pure: no clock, no network, no database.

    configuration   reads every file, collects every mistake       (start here)
    render          facts -> desired record; which triggers a change sets off
    pulls           what is read back, and how a field's value becomes a trait's
    live            a mapping against the CRM's own description of its fields
    schema          the same rules as JSON Schema, for editors
    starter         what `crmsync init` writes
"""
