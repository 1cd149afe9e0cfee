"""The API's calls, one module per area: each reads a `Call`, works on the portal, answers.

A call refuses by raising `errors.ApiError`; `hubspot.crm` turns that into the envelope.
"""
