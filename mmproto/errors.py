class InputError(ValueError):
    """A setting or a file of the user's is wrong; the message names it and says what to do."""


class InputListError(InputError):
    """Several at once, each an argument."""


class Stopped(KeyboardInterrupt):
    """The program has been stopped from outside; says what there is to go on from.

    Args:
        words: One line.
        status: Exit status of the program, 128 and the number of the signal.
    """

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status
