"""Measurements: how the work grows with what the tables hold. None of them passes or fails by a time."""
