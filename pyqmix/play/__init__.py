"""Whole episodes: played natively, in this process or in workers, ahead of the training steps, greedily."""
