"""The table of routes, and the dispatcher that finds a request's route in it."""
