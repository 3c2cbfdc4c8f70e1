"""Matrix products of NumPy on the thread that asks for them."""

from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> Any:
    """A context in which BLAS starts no threads of its own, for the whole process.

    The products here are slim, and asked for by a thread of ours for each core: threads that BLAS adds to those mostly wait for
    each other, which costs half of the rate and several times the processor time.
    """
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through the loaded libraries: some milliseconds
