"""`crmsync doctor`: looks at everything that has to be in order, one finding a check.

Each module looks at one thing and returns findings; none of them changes anything. What cannot be
looked at is a finding, too: nothing here raises for what is wrong.
"""
