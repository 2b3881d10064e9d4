"""Many runs: a sweep plans them, starts each in a process of its own, follows their files and reports."""
