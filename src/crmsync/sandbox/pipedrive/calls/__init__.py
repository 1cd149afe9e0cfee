"""The API's calls, one module per area: each reads a `Call`, works on the company, answers.

A call refuses by raising `errors.ApiError`, which is the whole answer.
"""
