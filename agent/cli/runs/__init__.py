"""Commands about runs that there were: what came of them, what they earned, and what leaves them."""
