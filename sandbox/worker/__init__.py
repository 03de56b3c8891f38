"""The worker process: one role, one request at a time, one reply to each."""
