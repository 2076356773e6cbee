"""Through trips of heavy vehicles and the way they took: matching, read rates, shares."""
