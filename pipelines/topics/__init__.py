"""Topics: what each must be to keep its promise, making those that are missing, and judging those that are there.

Nothing here deletes a topic or changes a setting of one: an existing topic that breaks its promise is reported.
"""
