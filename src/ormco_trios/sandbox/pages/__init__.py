"""The pages that a person sees; what they do is what the services do."""
