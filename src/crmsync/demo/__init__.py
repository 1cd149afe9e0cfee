"""The data set that `run.py demo` and newcomers try crmsync with."""
