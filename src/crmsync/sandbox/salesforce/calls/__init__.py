"""The API's calls, one module per area: each reads a `Call`, works on the org, answers.

A call refuses by raising `errors.Refusal`; `salesforce.crm` puts it into words.
"""
