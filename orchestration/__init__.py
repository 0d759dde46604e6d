"""What orchestrators share: plain generator functions, used with `yield from`."""
