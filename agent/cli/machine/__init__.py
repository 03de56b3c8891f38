"""Commands about this machine: what it has, what it serves and to whom."""
