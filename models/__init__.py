"""The nouns: tables, the values that travel between steps, and migrations.

Read `base`, `pipeline` (what arrives), `production` (what the app reads), `calendar` (when), `jobs` (what we owe),
`values`. `tables` names them all.
"""
