"""The API's calls, one module per area: each reads a `Call`, works on the organisation, answers.

A call refuses by raising `errors.ApiError`; `zoho.crm` turns that into the envelope.
"""
