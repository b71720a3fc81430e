"""How many small mistakes in the code would the tests notice?

`python -m tests.mutation compiler/ops --sample 300` makes that many, spread evenly over the files,
and runs for each the tests that call the changed function, the quickest first, until one fails.
A change outside every function needs a fresh import, and is tried on the tests of its room.
"""
