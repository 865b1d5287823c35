"""The relay: raw events in, minimized records out, exactly once.

`process` is one worker's process, `supervisor` keeps several alive, `accounting` are the books that prove what became
of every event. A batch goes poll → minimize → produce → offsets → commit, in one transaction.
"""
