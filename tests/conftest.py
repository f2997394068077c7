"""What holds for every test."""

import signal

from hypothesis import HealthCheck, settings

# Hypothesis fails tests that are slow; how slow a test is depends on what else the machine does.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# A shell ignores Ctrl-C for what it runs in the background, and every process that is started from there inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
