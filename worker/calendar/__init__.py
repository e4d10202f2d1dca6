"""When and where readers see a dossier: release moments, drip slots, and which dossier replaces which.

Read `moments` and `drip` (pure), `slots` (a place on the calendar), `chain` (what replaces what), `release` (the
moment itself), `desk` (what ops do by hand), `outlook` (what is to come).
"""
