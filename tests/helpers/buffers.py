"""A buffer that killed processes wedge: importable in its processes."""

from replay import killing


class Locked(killing.Bare):
    """A lock around each write, which a dead writer keeps."""

    def __init__(self):
        super().__init__()
        self.lock = killing.CONTEXT.Lock()

    def adder(self):
        add = super().adder()

        def locked(number):
            with self.lock:
                add(number)

        return locked
