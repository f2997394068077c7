"""What holds for every test."""

import signal

# A shell ignores Ctrl-C for what it runs in the background, and every process that is started from there inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
