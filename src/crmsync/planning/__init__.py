"""Pure: what the record should say against what it says, and the fewest writes that close the gap."""
