"""Pure: what a record should say against what it says, and the fewest writes that make it so."""
