"""Tests of the bridge, in this process. A package, so that the application they share ends with them."""
