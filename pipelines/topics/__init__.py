"""Topics: what each must be to keep its promise; planning, applying and verifying that; watching that it stays so.

`state` is a cluster as a value, `looking` asks for it. `judging`, `steps`, `notices` and `planning` are pure.
`applying` is all that changes anything, and it never deletes a topic.
"""
