"""The guided run: the whole pipeline on this machine, and the checks of what it did.

`stage` sets it up and takes it down, `play` sends the traffic and waits until it is through, `checks` looks at every
byte that came out, `view` shows it. A check says what it looked at; one that looked at nothing has failed.
"""
