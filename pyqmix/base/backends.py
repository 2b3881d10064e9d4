"""Names of the implementations that :func:`pyqmix.ops.use_backend` chooses among, for those without torch."""

BACKENDS = ("fused", "reference")
