"""When to stop: an audit of what nobody looked at, what it says of the rest, and the rest accepted in one step."""
