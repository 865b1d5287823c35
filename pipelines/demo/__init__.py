"""The guided run: the whole pipeline on this machine, and the checks of what it did.

`stage` sets it up and clears it away, `crew` runs the workers, `play` sends the traffic and waits until it is through;
`gathering` and `search` look at every byte that came out, `checks` and `balance` judge; `flow`, `comparison` and
`telling` show it. A check says what it looked at; one that looked at nothing has failed.
"""
