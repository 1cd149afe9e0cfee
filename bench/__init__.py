"""The measurements: `python run.py bench`, or `python -m bench`. docs/performance.md explains them.

Everything is counted in the ledger of the simulated CRM, which runs in a process of its own, or by
the operating system; nothing is taken from what the measured thing says about itself. Whatever is
timed runs in a fresh child process (`children.py`), next to its rivals, in the same run.
"""
