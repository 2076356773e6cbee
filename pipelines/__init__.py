"""Qala: every night, real feeds and registers come in, are checked, become figures, and go out.

Open `pipelines/flow.py` first: it lists every table in order.
"""
