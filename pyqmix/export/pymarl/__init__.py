"""Models of PyMARL and EPyMARL: folders with ``agent.th``, ``mixer.th`` and ``opt.th``."""
