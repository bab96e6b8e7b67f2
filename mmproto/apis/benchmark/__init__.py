"""What a ProtoPNet costs beside the networks it is made of; ``tools/benchmark.py`` runs it."""
