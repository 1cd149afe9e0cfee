"""The only room that speaks HTTP to CRMs. Start with `base.py`, the contract."""
