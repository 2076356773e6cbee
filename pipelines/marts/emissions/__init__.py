"""Emission factors of urban buses by speed, and what a fleet's standards mean by them."""
