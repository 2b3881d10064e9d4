"""A run from its first step to its summary, and the folder that it leaves behind."""
