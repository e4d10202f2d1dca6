"""What migrating would change in the database at hand, what stands in its way, and what undoing it would lose.

`wanted` reads out of the migrations what they make, `facts` asks the database what it has, `plan` compares the two
without either. `obstacles` says what stands in the way: rights and rows itself, V1's tables in `shape`, what has
our names in `built`. `losses` counts for the way back.
"""
