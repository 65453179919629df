"""What a process does when it is asked to end, for as long as one piece of work lasts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def handling(*numbers: int, by: Callable[..., Any] | None = None) -> Iterator[None]:
    """Handle signals in one way within the block, and after it as before.

    Only the main thread may say how signals are handled; in any other nothing changes.

    Args:
        numbers: Of the signals.
        by: Called with number and frame; without it, handlers that others set within the block are only taken back.

    Examples:
        >>> import signal
        >>> before = signal.getsignal(signal.SIGWINCH)
        >>> with handling(signal.SIGWINCH, by=print):
        ...     signal.getsignal(signal.SIGWINCH) is print
        True
        >>> signal.getsignal(signal.SIGWINCH) == before
        True
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers if by is not None else ():
            signal.signal(number, by)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that was not set from Python cannot be put back
                signal.signal(number, handler)
