"""Timetables: GTFS archives, and timetables in other formats turned into GTFS."""
