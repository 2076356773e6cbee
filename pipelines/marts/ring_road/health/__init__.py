"""Sensor health: what station-days alone say about the sensors that made them."""
