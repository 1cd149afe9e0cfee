"""A small SOQL: read (`grammar`), given meaning (`meaning`), run (`run`), continued (`cursors`)."""
