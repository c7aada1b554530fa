"""The adapters: ways to reach a dispatcher, with a socket and without."""
