"""Keeps the stopping signals from ending the server that forks worker processes, which imports this module first.

Ctrl-C in a terminal and a cluster's scheduler send signals to all processes of a run. The trainer handles them and
ends its workers. It starts the server with these signals held back, until this module has set their handlers.
Workers inherit the handlers; a program that an environment starts does not, so that ``terminate`` ends it.
"""

from __future__ import annotations

from pyqmix.base.signals import survive

survive(forks=True)
