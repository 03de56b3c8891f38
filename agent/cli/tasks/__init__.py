"""Commands about tasks: which there are, and how a folder of one begins."""
