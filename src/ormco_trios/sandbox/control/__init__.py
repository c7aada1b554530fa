"""The sandbox's own API, below ``/sandbox/``."""
