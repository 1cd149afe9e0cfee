"""COQL, Zoho's query language: `grammar` reads a query, `plan` checks it and finds records."""
