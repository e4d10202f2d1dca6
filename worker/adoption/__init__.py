"""What migrating would change in the database at hand, what stands in its way, and what undoing it would lose.

`wanted` reads out of the migrations what they make, `facts` asks the database what it has, `plan` compares the two
without either. `obstacles` says what stands in the way: rights and rows itself, tables in `shape`, indexes in
`built`. `losses` counts for the way back.
"""
