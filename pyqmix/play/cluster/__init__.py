"""Plays episodes by actors on the nodes of a Ray cluster."""
