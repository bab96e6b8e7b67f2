"""One check of the whole config, before anything runs: see ``checks``."""
