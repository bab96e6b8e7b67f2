class InputError(ValueError):
    """A setting or a file of the user's is wrong; the message names it and says what to do."""
