"""From a dossier's rows to what its reader sees: one way for V1 and V2 (roadmap, "Coexistence").

Read `transform` (the view, part by part), `contacts`, `lenient` (how it reads sections that nobody checked), then
`shown`, which fetches the rows, and `headings`, for lists.
"""
