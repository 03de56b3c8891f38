"""Commands that search: they start searches, show them going on, and talk about them."""
