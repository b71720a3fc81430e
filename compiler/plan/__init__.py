"""Graph to Schedule: which call runs when, and where every array lies.

The memory that reports predict and the memory that the runtime allocates are read off the same
`Schedule`.
"""
