"""What starters share: checked bodies, problem+json answers, the 202 and its links."""
