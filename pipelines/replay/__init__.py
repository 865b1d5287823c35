"""Replay: raw events that are still alive, once more through the policy as it is now, exactly once and no longer alive.

`selection` says which events and views, `task` names the replay by what it does, `engine` does it with the relay's own
lanes and transactions. `notes` reads quarantine for those who retry what failed. Nothing here prints.
"""
