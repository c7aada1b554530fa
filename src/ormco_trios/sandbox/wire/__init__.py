"""What crosses the border of the sandbox: requests, replies, refusals, addresses."""
