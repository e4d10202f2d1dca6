"""Tests that need PostgreSQL and no other process."""
