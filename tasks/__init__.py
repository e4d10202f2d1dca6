"""The verbs, in the order the data meets them: `publish`, `load`, `assemble/`, `store`.

Each task is a shim around functions that take what they need and return what they made.
"""
