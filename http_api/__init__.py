"""What starters share: validated bodies, problem+json answers, the 202 answer and its links."""
