"""Alerts: what people are told without asking, where to, and when it was told."""
