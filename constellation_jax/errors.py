"""The package's own exceptions: one clear line each, for a reader who made a mistake and wants to mend it."""


class InputError(ValueError):
    """Something given by the user is wrong. The message is one line: where, what was found, what was expected, what to do."""


class InputErrors(InputError):
    """Several mistakes of one input, reported at once.

    Args:
        messages: one line for each mistake.
    """

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages
